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
    /*
     * What SHIFT needs: the rolling ones as they were, and mean and variance after each forward of
     * the reference run. What the first forwards of both runs give is compared, which saw the same
     * images: so images that differ don't count as a shift.
     */
    float *rolling_mean, *rolling_variance;
    double *reference;         /* forwards * 2 * channels */
    size_t forwards, capacity; /* of the reference run, and that there is room for */
    size_t forward;            /* of this run */
    float *room[2];
} layer_statistics; /* arrays of `channels` */

struct gdrq_statistics {
    const network *net;
    gdrq_measuring how;
    const float *input; /* of the forward that runs */
    bool out_of_memory; /* the reference has gaps */
    layer_statistics *of_layer;
};

static bool is_normalised(const layer *l) {
    return l->type == BATCHNORM ||
           ((l->type == CONVOLUTIONAL || l->type == CONNECTED) && l->batch_normalize);
}

bool gdrq_statistics_any(const network *net) {
    for (int i = 0; i < net->n; i++)
        if (is_normalised(&net->layers[i]))
            return true;
    return false;
}

static bool make_room(layer_statistics *s, int channels) {
    const size_t n = (size_t)channels;
    s->channels = channels;
    s->mean = gdrq_alloc(n, sizeof *s->mean);
    s->squares = gdrq_alloc(n, sizeof *s->squares);
    s->rolling_mean = gdrq_alloc(n, sizeof *s->rolling_mean);
    s->rolling_variance = gdrq_alloc(n, sizeof *s->rolling_variance);
    s->room[0] = gdrq_alloc(n, sizeof *s->room[0]);
    s->room[1] = gdrq_alloc(n, sizeof *s->room[1]);
    return s->mean && s->squares && s->rolling_mean && s->rolling_variance && s->room[0] &&
           s->room[1];
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

gdrq_status gdrq_statistics_shift(gdrq_statistics *s, gdrq_error *err) {
    if (s->how != GDRQ_MEASURE_REFERENCE)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "a shift of batch norm's statistics needs a reference");
    if (s->out_of_memory)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the statistics of batch norm");
    for (int i = 0; i < s->net->n; i++) {
        layer_statistics *of = &s->of_layer[i];
        const layer *l = &s->net->layers[i];
        for (int c = 0; c < of->channels; c++) {
            of->rolling_mean[c] = l->rolling_mean[c];
            of->rolling_variance[c] = l->rolling_variance[c];
            of->mean[c] = of->squares[c] = 0;
        }
        of->count = 0;
        of->forward = 0;
    }
    s->how = GDRQ_MEASURE_SHIFT;
    return GDRQ_OK;
}

/* Room for one forward more. */
static bool grow(layer_statistics *s) {
    if (s->forwards < s->capacity)
        return true;
    const size_t capacity = 2 * s->capacity + 8, of_forward = 2 * (size_t)s->channels;
    double *reference = gdrq_realloc(s->reference, capacity * of_forward, sizeof *reference);
    if (!reference)
        return false;
    s->reference = reference;
    s->capacity = capacity;
    return true;
}

static bool note_reference(layer_statistics *s) {
    if (!grow(s))
        return false;
    double *reference = s->reference + s->forwards++ * 2 * (size_t)s->channels;
    for (int c = 0; c < s->channels; c++) {
        reference[c] = s->mean[c];
        reference[s->channels + c] = variance_of(s, c);
    }
    return true;
}

static void set_anew(const layer_statistics *s, const layer *l) {
    for (int c = 0; c < s->channels; c++) {
        l->rolling_mean[c] = (float)s->mean[c];
        l->rolling_variance[c] = (float)variance_of(s, c);
    }
}

/* Of a channel, before its variance is taken for a measured one: that of few may be next to 0. */
enum { ENOUGH_VALUES = 32 };

/* Forwards beyond those of the reference are compared with all of it. */
static void shift(layer_statistics *s, const layer *l) {
    if (s->forwards == 0)
        return;
    const size_t last = s->forwards - 1, at = s->forward < last ? s->forward : last;
    const double *reference = s->reference + at * 2 * (size_t)s->channels;
    s->forward++;
    for (int c = 0; c < s->channels; c++) {
        const double before = reference[s->channels + c], variance = variance_of(s, c);
        l->rolling_mean[c] = (float)(s->rolling_mean[c] + s->mean[c] - reference[c]);
        if (s->count >= ENOUGH_VALUES && before > 0 && variance > 0)
            l->rolling_variance[c] = (float)(s->rolling_variance[c] * variance / before);
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
    if (s->how == GDRQ_MEASURE_REFERENCE) {
        s->out_of_memory |= !note_reference(of);
        return;
    }
    if (s->how == GDRQ_MEASURE_SHIFT)
        shift(of, &l);
    else if (of->count > 1)
        set_anew(of, &l);
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
        free(of->reference);
        free(of->rolling_mean);
        free(of->rolling_variance);
        free(of->room[0]);
        free(of->room[1]);
    }
    if (s)
        free(s->of_layer);
    free(s);
}
