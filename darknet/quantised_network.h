/* What commands that look into quantised networks share: the check that it is one, and words. */
#ifndef DARKNET_QUANTISED_NETWORK_H
#define DARKNET_QUANTISED_NETWORK_H

#include "darknet.h"
#include "gdrq.h"

/* Refuses folded networks, and those without quantised layers. `verb` is what was to be done:
   "inspect". */
gdrq_status quantised_network_check(const network *net, const char *cfg_path, const char *verb,
                                    gdrq_error *err);

/* "gdrq_convolutional" or "gdrq_connected" */
const char *quantised_type(const gdrq_quantisation *q);

/* "3x3, 16 to 32": channels in and out of a convolutional or connected layer. */
void quantised_shape(const layer *l, char *shape, size_t size);

#endif
