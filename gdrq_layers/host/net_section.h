/* Checks what [net] says beyond single values, and reads what the layers depend on. */
#ifndef GDRQ_HOST_NET_SECTION_H
#define GDRQ_HOST_NET_SECTION_H

#include "host/outline.h"
#include "host/section_check.h"

/*
 * place->section is a checked [net]. Fills w, h, c, inputs and batch of the outline and
 * *time_steps, which divides batch.
 */
gdrq_status gdrq_net_section_read(const gdrq_place *place, gdrq_outline *outline, int *time_steps,
                                  gdrq_notes *notes, gdrq_error *err);

#endif
