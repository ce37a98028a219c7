#include "segment.h"

#include "base/status.h"

#include <math.h>

/* Scores that are not numbers give no classes. */
static gdrq_status check_scores(const network *net, const char *name, gdrq_error *err) {
    const layer *scores = &net->layers[net->n - 2];
    for (int i = 0; i < scores->outputs; i++)
        if (!isfinite(scores->output[i]))
            return gdrq_fail(err, GDRQ_ERROR_STATE,
                             "%.900s: the network's output for this image is not finite", name);
    return GDRQ_OK;
}

gdrq_status segment_picture(network *net, const char *path, const picture *p,
                            unsigned char *classes, double *seconds, gdrq_error *err) {
    const gdrq_pixels pixels = {p->data, p->w, p->h, 3 * (size_t)p->w, GDRQ_BGR};
    const gdrq_status status = gdrq_network_segment(net, &pixels, classes, seconds, err);
    return status == GDRQ_OK ? check_scores(net, path, err) : status;
}

gdrq_status segment_fitted(network *net, const gdrq_pixels *fitted, int w, int h,
                           unsigned char *classes, double *seconds, gdrq_error *err) {
    gdrq_status status = gdrq_network_segment(net, fitted, NULL, seconds, err);
    if (status == GDRQ_OK)
        status = check_scores(net, "a frame", err);
    return status == GDRQ_OK ? gdrq_network_classes(net, w, h, classes, err) : status;
}
