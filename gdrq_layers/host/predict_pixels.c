/* One 8-bit image through a network (gdrq_network_predict_pixels()). */
#include "gdrq.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/seconds.h"
#include "base/status.h"
#include "darknet.h"
#include "host/network_state.h"

/* Where the floats of an image go: the network's own input, which has room for its batch. */
static void set_floats(const network *net, const uint8_t *codes, size_t n) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        net->input[i] = codes[i] / 255.f;
}

static void run_one(network *net, double *seconds) {
    const int batch = net->batch;
    set_batch_network(net, 1);
    const double start = gdrq_seconds();
    network_predict(net, net->input);
    if (seconds)
        *seconds = gdrq_seconds() - start;
    set_batch_network(net, batch);
}

gdrq_status gdrq_network_predict_pixels(struct network *net, const gdrq_pixels *image,
                                        double *seconds, gdrq_error *err) {
    if (net->c != 3)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "the network reads %d channels; pictures have 3 ([net] channels=3)",
                         net->c);
    const gdrq_network_state *state = gdrq_network_state_find(net);
    const bool calibrating = state && state->training.calibrating && !state->folded;
    gdrq_status status = calibrating ? GDRQ_OK : gdrq_network_ready(net, err);
    if (status != GDRQ_OK)
        return status;
    const size_t n = 3 * (size_t)net->w * (size_t)net->h;
    uint8_t *codes = gdrq_alloc(n, 1);
    if (!codes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a network input of %d x %d",
                         net->w, net->h);
    status = gdrq_letterbox(image, net->w, net->h, codes, err);
    if (status == GDRQ_OK &&
        !(state && state->folded && gdrq_folded_set_input(state->folded, codes)))
        set_floats(net, codes, n);
    free(codes);
    if (status == GDRQ_OK)
        run_one(net, seconds);
    return status;
}
