/* Checks each section by itself: is it known, are its keys, do their values fit the table. */
#ifndef GDRQ_HOST_SECTION_CHECK_H
#define GDRQ_HOST_SECTION_CHECK_H

#include "host/section_value.h"

/* Remarks that are no errors, one line each. */
typedef struct gdrq_notes {
    char **lines;
    int n;
} gdrq_notes;

/* Adds "FILE:LINE: <text>". */
gdrq_status gdrq_notes_add(gdrq_notes *notes, const gdrq_cfg *cfg, int line, gdrq_error *err,
                           const char *format, ...) GDRQ_PRINTF(5, 6);

void gdrq_notes_free(gdrq_notes *notes);

/*
 * Checks a section's name, keys and values; *kind is then what it is. Unknown names are answered
 * with the nearest known one and with what is allowed; keys that other Darknets have are noted.
 */
gdrq_status gdrq_section_check(const gdrq_place *place, const gdrq_section_kind **kind,
                               gdrq_notes *notes, gdrq_error *err);

#endif
