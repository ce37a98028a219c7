/* The numbers of a sensitivity as JSON. */
#ifndef SENSITIVITY_SENSITIVITY_JSON_H
#define SENSITIVITY_SENSITIVITY_JSON_H

#include "sensitivity/proposal.h"

gdrq_status sensitivity_json_save(const sensitivity *s, const proposal *p, const char *path,
                                  gdrq_error *err);

#endif
