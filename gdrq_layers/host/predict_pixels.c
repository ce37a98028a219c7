/* One 8-bit image through a network (gdrq_network_predict_pixels()). */
#include "gdrq.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/seconds.h"
#include "base/status.h"
#include "darknet.h"
#include "host/network_state.h"
#include "host/scratch_buffer.h"
#include "primitives/predict.h"

enum { CHANNELS = 3 };

void gdrq_frame_free(gdrq_frame *frame) {
    gdrq_columns_free(&frame->columns);
    free(frame->codes);
    free(frame->classes);
    free(frame->cells);
    *frame = (gdrq_frame){0};
}

static gdrq_status make_room(gdrq_frame *frame, const network *net, gdrq_error *err) {
    const size_t n = CHANNELS * (size_t)net->w * (size_t)net->h;
    if (n <= frame->room)
        return GDRQ_OK;
    uint8_t *codes = gdrq_alloc(n, 1);
    if (!codes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a network input of %d x %d",
                         net->w, net->h);
    free(frame->codes);
    frame->codes = codes;
    frame->room = n;
    return GDRQ_OK;
}

/* Where the floats of an image go: the network's own input, which has room for its batch. */
static void set_floats(const network *net, const uint8_t *codes) {
    const size_t plane = (size_t)net->w * (size_t)net->h;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < CHANNELS; c++)
            net->input[c * plane + i] = codes[i * CHANNELS + c] / 255.f;
}

static gdrq_status set_input(network *net, gdrq_folded_network *folded, const gdrq_pixels *image,
                             gdrq_frame *frame, gdrq_error *err) {
    uint8_t *pixels = NULL;
    gdrq_status status = folded ? gdrq_folded_pixels(folded, &pixels, err) : GDRQ_OK;
    if (status == GDRQ_OK && !pixels)
        status = make_room(frame, net, err);
    if (status == GDRQ_OK)
        status = gdrq_letterbox_codes(image, net->w, net->h, &frame->columns,
                                      pixels ? pixels : frame->codes, err);
    if (status != GDRQ_OK)
        return status;
    if (pixels)
        gdrq_folded_pixels_are_set(folded);
    else
        set_floats(net, frame->codes);
    return GDRQ_OK;
}

static void run_one(network *net, int layers, double *seconds) {
    const int batch = net->batch, n = net->n;
    set_batch_network(net, 1);
    const double start = gdrq_seconds();
    net->n = layers;
    network_predict(net, net->input);
    net->n = n;
    if (seconds)
        *seconds = gdrq_seconds() - start;
    set_batch_network(net, batch);
}

gdrq_status gdrq_network_predict_again(struct network *net, int first, gdrq_error *err) {
    gdrq_status status = gdrq_network_ready(net, err);
    if (status == GDRQ_OK)
        status = gdrq_check_on_cpu(net, "layers run again", err);
    if (status != GDRQ_OK)
        return status;
    if (gdrq_network_is_folded(net) || first < 0 || first >= net->n)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "no layer %d to run again from", first);
    const int batch = net->batch;
    set_batch_network(net, 1);
    gdrq_network_predict_from(net, first);
    set_batch_network(net, batch);
    return GDRQ_OK;
}

gdrq_status gdrq_network_predict_pixels(struct network *net, const gdrq_pixels *image,
                                        double *seconds, gdrq_error *err) {
    return gdrq_frame_predict(net, image, net->n, seconds, err);
}

gdrq_status gdrq_frame_predict(network *net, const gdrq_pixels *image, int layers, double *seconds,
                               gdrq_error *err) {
    if (net->c != CHANNELS)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "the network reads %d channels; pictures have 3 ([net] channels=3)",
                         net->c);
    gdrq_network_state *state = gdrq_network_state_find(net);
    const bool calibrating = state && state->training.calibrating && !state->folded;
    gdrq_status status = calibrating ? GDRQ_OK : gdrq_network_ready(net, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_frame own = {0};
    status = set_input(net, state ? state->folded : NULL, image, state ? &state->frame : &own, err);
    gdrq_frame_free(&own);
    if (status == GDRQ_OK)
        run_one(net, layers, seconds);
    return status;
}
