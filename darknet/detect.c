#include "detect.h"

#include "base/alloc.h"
#include "base/status.h"
#include "seconds.h"

#include <math.h>

static const float nms_iou = .45f; /* upstream's */

static void run_single(network *net, float *input, double *seconds) {
    const int batch = net->batch;
    set_batch_network(net, 1);
    const double start = seconds_now();
    network_predict(net, input);
    if (seconds)
        *seconds = seconds_now() - start;
    set_batch_network(net, batch);
}

gdrq_status predict_picture(network *net, const picture *p, double *seconds, gdrq_error *err) {
    if (net->c != 3)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "the network reads %d channels; pictures have 3 ([net] channels=3)",
                         net->c);
    const size_t n = 3 * (size_t)net->w * net->h;
    unsigned char *codes = gdrq_alloc(n, 1);
    float *input = gdrq_alloc(n, sizeof *input);
    gdrq_status status = GDRQ_OK;
    if (!codes || !input) {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a network input of %d x %d",
                           net->w, net->h);
    } else {
        const gdrq_pixels pixels = {p->data, p->w, p->h, 3 * (size_t)p->w, GDRQ_BGR};
        status = gdrq_letterbox(&pixels, net->w, net->h, codes, err);
    }
    if (status == GDRQ_OK) {
        for (size_t i = 0; i < n; i++)
            input[i] = codes[i] / 255.f;
        run_single(net, input, seconds);
    }
    free(input);
    free(codes);
    return status;
}

gdrq_status detect_picture(network *net, const picture *p, float threshold, float hierarchy,
                           detections *found, gdrq_error *err) {
    *found = (detections){0};
    /* Reading the boxes, too, wants a batch of 1: at 2 the host averages the two images. */
    const int batch = net->batch;
    set_batch_network(net, 1);
    const gdrq_status status = predict_picture(net, p, &found->seconds, err);
    if (status == GDRQ_OK) {
        found->at = get_network_boxes(net, p->w, p->h, threshold, hierarchy, NULL, 1, &found->n);
        do_nms_sort(found->at, found->n, net->layers[net->n - 1].classes, nms_iou);
    }
    set_batch_network(net, batch);
    return status;
}

void detections_free(detections *found) {
    if (found->at)
        free_detections(found->at, found->n);
    *found = (detections){0};
}

bool detection_is_finite(const detection *d) {
    return isfinite(d->bbox.x) && isfinite(d->bbox.y) && isfinite(d->bbox.w) && isfinite(d->bbox.h);
}
