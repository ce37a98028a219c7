/* A folder for results. */
#ifndef DATA_FOLDER_H
#define DATA_FOLDER_H

#include "gdrq.h"

/*
 * Makes the folder, and those above it, where missing, and tries whether files can be made in it:
 * permissions alone don't tell (read-only mounts, /proc). `what` names it in messages: "results
 * folder".
 */
gdrq_status folder_prepare(const char *folder, const char *what, gdrq_error *err);

#endif
