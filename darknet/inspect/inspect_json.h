/* An inspection as JSON. */
#ifndef INSPECT_INSPECT_JSON_H
#define INSPECT_INSPECT_JSON_H

#include "inspect/inspection.h"

/* Writes the numbers of the tables, and how often each code occurs; complete or not at all. */
gdrq_status inspect_json_save(const inspection *in, const char *path, gdrq_error *err);

#endif
