/* A picture of a sensitivity: layers down, bits across, errors as colours on a logarithmic scale.
 */
#ifndef SENSITIVITY_SENSITIVITY_PICTURE_H
#define SENSITIVITY_SENSITIVITY_PICTURE_H

#include "sensitivity/proposal.h"

gdrq_status sensitivity_picture_save(const sensitivity *s, const proposal *p, const char *path,
                                     gdrq_error *err);

#endif
