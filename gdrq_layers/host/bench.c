/* Where a network's time goes (gdrq_network_bench()). */
#include "gdrq.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/seconds.h"
#include "base/status.h"
#include "base/times.h"
#include "darknet.h"
#include "host/network_state.h"
#include "host/scratch_buffer.h"
#include "host/section_keys.h"
#include "infer/peak.h"
#include "primitives/predict.h"
#ifdef GPU
#include "host/cuda/folded_gpu.h"
#include "host/cuda/folded_gpu_layers.h"
#endif

enum { WARM_UPS = 3 };

/* Seconds of all layers of all runs, [layer][run]; behind them those of the whole network. */
typedef struct clock_card {
    int n, runs, run; /* run < 0: a warm-up */
    double last;
    double *seconds;
} clock_card;

static void note_layer(void *user, int i) {
    clock_card *card = user;
    const double t = gdrq_seconds();
    if (card->run >= 0)
        card->seconds[(size_t)i * (size_t)card->runs + (size_t)card->run] = t - card->last;
    card->last = t;
}

/* Pixels in a folded network are codes already; a float one reads its own input. */
static void set_random_input(network *net, gdrq_folded_network *folded, uint8_t *pixels) {
    uint32_t state = 1;
    for (int i = 0; i < net->inputs; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        const uint8_t code = (uint8_t)(state >> 24);
        net->input[i] = (float)code / 255.f;
        if (pixels)
            pixels[i] = code;
    }
    if (pixels)
        gdrq_folded_pixels_are_set(folded);
}

static void take_times(double *seconds, int runs, gdrq_timing *to) {
    const gdrq_times times = gdrq_times_of(seconds, runs);
    to->median = times.median;
    to->least = times.least;
}

static double macs_of(const layer *l) {
    if (l->type == CONVOLUTIONAL)
        return (double)l->size * l->size * l->c / l->groups * l->outputs;
    return l->type == CONNECTED ? (double)l->inputs * l->outputs : 0;
}

/* Bytes of the values or codes of a tensor. */
static double tensor_bytes(const gdrq_folded_network *f, int i, double values) {
    double bytes = 0;
    if (!f || gdrq_plan_has_values(f->plan, i))
        bytes += values * sizeof(float);
    if (f && gdrq_plan_is_interleaved(f->plan, i))
        bytes += values * sizeof(float);
    if (f && gdrq_plan_has_codes(f->plan, i))
        bytes += values;
    return bytes;
}

/* What another layer computes as well is written by that one. */
static double output_bytes(const network *net, const gdrq_folded_network *f, int i) {
    const int written = f ? gdrq_plan_written(f->plan, i) : i;
    return written < 0 ? 0 : tensor_bytes(f, written, net->layers[written].outputs);
}

static bool moves_nothing(const char *way) {
    return strcmp(way, "in place") == 0 || strcmp(way, "fused") == 0;
}

static double weight_bytes(const network *net, const gdrq_folded_network *f, int i) {
    const layer *l = &net->layers[i];
    const double weights = l->type == CONNECTED ? (double)l->inputs * l->outputs : l->nweights;
    if (l->type != CONVOLUTIONAL && l->type != CONNECTED)
        return 0;
    return f && f->weight_bits[i] > 0 ? weights : weights * sizeof(float);
}

static const char *way_of(const gdrq_folded_network *f, int i) {
    if (!f)
        return "float";
#ifdef GPU
    if (f->gpu && f->weight_bits[i] > 0)
        return gdrq_folded_gpu_kernel(f->gpu, i);
#endif
    return gdrq_plan_way(f->plan, i);
}

static void describe_layer(const network *net, const gdrq_folded_network *f, int i,
                           gdrq_timing *to) {
    const layer *l = &net->layers[i];
    to->type = gdrq_section_name(l);
    to->macs = macs_of(l);
    to->kernel = way_of(f, i);
    to->bytes = moves_nothing(to->kernel) ? 0
                                          : tensor_bytes(f, i - 1, l->inputs) +
                                                output_bytes(net, f, i) + weight_bytes(net, f, i);
}

/* The seconds of the whole network; those of its layers go into the card. */
static double run_layers(network *net, clock_card *card) {
    const double start = card->last = gdrq_seconds();
    gdrq_network_predict_watched(net, net->input, note_layer, card);
    return gdrq_seconds() - start;
}

#ifdef GPU
/* First layer by layer, then all at once, as it runs otherwise. */
static double run_layers_on_gpu(network *net, gdrq_folded_network *folded, uint8_t *pixels,
                                clock_card *card) {
    card->last = gdrq_seconds();
    gdrq_gpu_predict(net, folded, net->input, note_layer, card);
    set_random_input(net, folded, pixels);
    const double start = gdrq_seconds();
    gdrq_gpu_predict(net, folded, net->input, NULL, NULL);
    return gdrq_seconds() - start;
}
#endif

static void run_all(network *net, gdrq_folded_network *folded, uint8_t *pixels, clock_card *card) {
    for (card->run = -WARM_UPS; card->run < card->runs; card->run++) {
        set_random_input(net, folded, pixels);
#ifdef GPU
        const double seconds = gdrq_is_on_gpu(net) ? run_layers_on_gpu(net, folded, pixels, card)
                                                   : run_layers(net, card);
#else
        const double seconds = run_layers(net, card);
#endif
        if (card->run >= 0)
            card->seconds[(size_t)card->n * (size_t)card->runs + (size_t)card->run] = seconds;
    }
}

gdrq_status gdrq_network_bench(struct network *net, int runs, gdrq_timing *layers,
                               gdrq_timing *total, gdrq_error *err) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    gdrq_folded_network *folded = state ? state->folded : NULL;
    uint8_t *pixels = NULL;
    gdrq_status status = gdrq_network_ready(net, err);
    if (status == GDRQ_OK && folded)
        status = gdrq_folded_pixels(folded, &pixels, err);
    if (status != GDRQ_OK)
        return status;
    clock_card card = {.n = net->n, .runs = runs};
    card.seconds = gdrq_alloc((size_t)(net->n + 1) * (size_t)runs, sizeof *card.seconds);
    const int batch = net->batch;
    if (card.seconds) {
        set_batch_network(net, 1);
        run_all(net, folded, pixels, &card);
        set_batch_network(net, batch);
        *total = (gdrq_timing){.type = "", .kernel = ""};
        for (int i = 0; i < net->n; i++) {
            describe_layer(net, folded, i, &layers[i]);
            take_times(card.seconds + (size_t)i * (size_t)runs, runs, &layers[i]);
            total->macs += layers[i].macs;
            total->bytes += layers[i].bytes;
        }
        take_times(card.seconds + (size_t)net->n * (size_t)runs, runs, total);
    }
    const bool ok = card.seconds;
    free(card.seconds);
    return ok ? GDRQ_OK : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d runs", runs);
}

double gdrq_machine_peak(void) {
    return gdrq_peak_macs(gdrq_cpu_level());
}

const char *gdrq_machine_cpu(void) {
    return gdrq_cpu_name(gdrq_cpu_level());
}
