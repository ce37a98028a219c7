/* Which GPUs the command line chooses: -i N or -gpus LIST, the last of them. */
#ifndef DARKNET_GPUS_H
#define DARKNET_GPUS_H

#include "gdrq.h"

enum { GPUS_MOST = 16 }; /* as many as the host library has handles for */

/* Setters of flags: one number; numbers with commas between them. The first one gets the networks
   that are parsed from here on. */
gdrq_status gpus_set_one(const char *number, gdrq_error *err);
gdrq_status gpus_set_list(const char *list, gdrq_error *err);

/* How many GPUs a training takes: those of the list; 1 without one and in a CPU build. */
int gpus_count(void);

/* Networks that are parsed from here on are on GPU i of the list. */
gdrq_status gpus_use(int i, gdrq_error *err);

/* The list as it was given, NULL if it was not, or is without effect. */
const char *gpus_list(void);

#endif
