#include "host/statistics.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "primitives/batchnorm.h"
#include "primitives/convolutional_parts.h"
#include "primitives/predict.h"
#include "train/quantised_layer.h"

/* Of one layer's channels over all images so far: mean, and sum of squared deviations from it. */
typedef struct layer_statistics {
    int channels; /* 0: a layer without batch norm of its own */
    double count; /* values per channel */
    double *mean, *squares;
    /* What SHIFT starts from: of the reference run, and the rolling ones as they were. */
    double *reference_mean, *reference_variance;
    float *rolling_mean, *rolling_variance;
    float *room[2];
} layer_statistics; /* arrays of `channels` */

struct gdrq_statistics {
    const network *net;
    gdrq_measuring how;
    const float *input; /* of the forward that runs */
    layer_statistics *of_layer;
};

static bool is_normalised(const layer *l) {
    return l->type == BATCHNORM ||
           ((l->type == CONVOLUTIONAL || l->type == CONNECTED) && l->batch_normalize);
}

static bool make_room(layer_statistics *s, int channels) {
    const size_t n = (size_t)channels;
    s->channels = channels;
    s->mean = gdrq_alloc(n, sizeof *s->mean);
    s->squares = gdrq_alloc(n, sizeof *s->squares);
    s->reference_mean = gdrq_alloc(n, sizeof *s->reference_mean);
    s->reference_variance = gdrq_alloc(n, sizeof *s->reference_variance);
    s->rolling_mean = gdrq_alloc(n, sizeof *s->rolling_mean);
    s->rolling_variance = gdrq_alloc(n, sizeof *s->rolling_variance);
    s->room[0] = gdrq_alloc(n, sizeof *s->room[0]);
    s->room[1] = gdrq_alloc(n, sizeof *s->room[1]);
    return s->mean && s->squares && s->reference_mean && s->reference_variance && s->rolling_mean &&
           s->rolling_variance && s->room[0] && s->room[1];
}

gdrq_status gdrq_statistics_new(const network *net, gdrq_measuring how, gdrq_statistics **out,
                                gdrq_error *err) {
    gdrq_statistics *s = *out = gdrq_alloc(1, sizeof *s);
    bool ok = s != NULL;
    if (ok) {
        s->net = net;
        s->how = how;
        s->of_layer = gdrq_alloc((size_t)net->n, sizeof *s->of_layer);
        ok = s->of_layer != NULL;
    }
    for (int i = 0; ok && i < net->n; i++)
        if (is_normalised(&net->layers[i]))
            ok = make_room(&s->of_layer[i], net->layers[i].out_c);
    if (ok)
        return GDRQ_OK;
    gdrq_statistics_free(s);
    *out = NULL;
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the statistics of batch norm");
}

/*
 * Joins the statistics of `count` more values per channel, with variances over count - 1: Chan,
 * Golub and LeVeque, The American Statistician 37 (1983), 242.
 */
static void join(layer_statistics *s, double count, const float *mean, const float *variance) {
    const double all = s->count + count;
    for (int c = 0; c < s->channels; c++) {
        const double difference = mean[c] - s->mean[c];
        s->mean[c] += difference * count / all;
        s->squares[c] +=
            variance[c] * (count - 1) + difference * difference * s->count * count / all;
    }
    s->count = all;
}

/* Variance over all values, as the host's of one batch. */
static double variance_of(const layer_statistics *s, int c) {
    return s->count > 1 ? s->squares[c] / (s->count - 1) : 0;
}

bool gdrq_statistics_shift(gdrq_statistics *s) {
    if (s->how != GDRQ_MEASURE_REFERENCE)
        return false;
    for (int i = 0; i < s->net->n; i++) {
        layer_statistics *of = &s->of_layer[i];
        const layer *l = &s->net->layers[i];
        for (int c = 0; c < of->channels; c++) {
            of->reference_mean[c] = of->mean[c];
            of->reference_variance[c] = variance_of(of, c);
            of->rolling_mean[c] = l->rolling_mean[c];
            of->rolling_variance[c] = l->rolling_variance[c];
            of->mean[c] = of->squares[c] = 0;
        }
        of->count = 0;
    }
    s->how = GDRQ_MEASURE_SHIFT;
    return true;
}

static void set_rolling(const layer_statistics *s, gdrq_measuring how, const layer *l) {
    for (int c = 0; s->count > 1 && c < s->channels; c++) {
        const double mean = s->mean[c], variance = variance_of(s, c);
        if (how == GDRQ_MEASURE_ANEW) {
            l->rolling_mean[c] = (float)mean;
            l->rolling_variance[c] = (float)variance;
        } else {
            l->rolling_mean[c] = (float)(s->rolling_mean[c] + mean - s->reference_mean[c]);
            if (s->reference_variance[c] > 0)
                l->rolling_variance[c] =
                    (float)(s->rolling_variance[c] * variance / s->reference_variance[c]);
        }
    }
}

static void measure(void *user, int i) {
    gdrq_statistics *s = user;
    layer_statistics *of = &s->of_layer[i];
    if (!of->channels)
        return;
    /* The layer as a convolution with these sums. */
    layer l = s->net->layers[i];
    const gdrq_quantised *q = gdrq_quantised_state(&l);
    const float *factor = q ? q->factor : NULL, *sums = l.x;
    if (l.type == BATCHNORM) {
        sums = i > 0 ? s->net->layers[i - 1].output : s->input;
        l.activation = LINEAR;
    }
    l.n = l.out_c;
    l.batch_normalize = 1;
    const gdrq_bn_shape shape = {l.batch, of->channels, l.outputs / of->channels};
    gdrq_batchnorm_statistics(&shape, sums, factor, of->room[0], of->room[1]);
    join(of, (double)shape.batch * shape.spatial, of->room[0], of->room[1]);
    if (s->how == GDRQ_MEASURE_REFERENCE)
        return;
    set_rolling(of, s->how, &l);
    gdrq_normalise_sums(&l, factor, sums, false, of->room[0], of->room[1]);
}

float *gdrq_statistics_predict(gdrq_statistics *s, float *input) {
    s->input = input;
    return gdrq_network_predict_watched(s->net, input, measure, s);
}

void gdrq_statistics_free(gdrq_statistics *s) {
    for (int i = 0; s && s->of_layer && i < s->net->n; i++) {
        layer_statistics *of = &s->of_layer[i];
        free(of->mean);
        free(of->squares);
        free(of->reference_mean);
        free(of->reference_variance);
        free(of->rolling_mean);
        free(of->rolling_variance);
        free(of->room[0]);
        free(of->room[1]);
    }
    if (s)
        free(s->of_layer);
    free(s);
}
