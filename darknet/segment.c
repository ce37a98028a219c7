#include "segment.h"

#include "base/status.h"

gdrq_status segment_picture(network *net, const char *path, const picture *p,
                            unsigned char *classes, double *seconds, gdrq_error *err) {
    const gdrq_pixels pixels = {p->data, p->w, p->h, 3 * (size_t)p->w, GDRQ_BGR};
    gdrq_error why;
    const gdrq_status status = gdrq_network_segment(net, &pixels, classes, seconds, &why);
    return status == GDRQ_OK ? GDRQ_OK
                             : gdrq_fail(err, status, "%.500s: %.500s", path, why.message);
}

gdrq_status segment_fitted(network *net, const gdrq_pixels *fitted, int w, int h,
                           unsigned char *classes, double *seconds, gdrq_error *err) {
    const gdrq_status status = gdrq_network_segment(net, fitted, NULL, seconds, err);
    return status == GDRQ_OK ? gdrq_network_classes(net, w, h, classes, err) : status;
}
