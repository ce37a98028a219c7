#include "host/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/network_state.h"
#include "primitives/batchnorm.h"
#include "primitives/convolutional_parts.h"
#include "primitives/predict.h"
#include "train/quantised_layer.h"
#ifdef GPU
#include "base/cuda/device.h"
#include "base/fatal.h"
#include "host/cuda/folded_gpu_layers.h"
#include "host/cuda/statistics_gpu.h"
#include "host/scratch_buffer.h"
#endif

/* Of one layer's channels over all images so far. */
typedef struct moments {
    double count;           /* values per channel */
    double *mean, *squares; /* the squares: sums of squared deviations from the mean */
} moments;

typedef struct layer_statistics {
    int channels;     /* 0: a layer without batch norm of its own */
    moments measured; /* as the network is */
    /* What SHIFT needs: the same of the unquantised network, and the rolling ones as they were. */
    moments in_float;
    float *rolling_mean, *rolling_variance;
    float *room[2];
} layer_statistics; /* arrays of `channels` */

struct gdrq_statistics {
    const network *net;
    gdrq_measuring how;
    const float *input; /* of the forward that runs */
    layer_statistics *of_layer;
    void *room_on_gpu; /* for any layer; NULL on the CPU */
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

static float *copy_of(const float *x, size_t n) {
    float *copy = gdrq_alloc(n, sizeof *copy);
    if (copy)
        memcpy(copy, x, n * sizeof *copy);
    return copy;
}

static bool make_moments(moments *m, size_t n) {
    m->mean = gdrq_alloc(n, sizeof *m->mean);
    m->squares = gdrq_alloc(n, sizeof *m->squares);
    return m->mean && m->squares;
}

static bool make_room(layer_statistics *s, const layer *l) {
    const size_t n = (size_t)l->out_c;
    s->channels = l->out_c;
    s->rolling_mean = copy_of(l->rolling_mean, n);
    s->rolling_variance = copy_of(l->rolling_variance, n);
    s->room[0] = gdrq_alloc(n, sizeof *s->room[0]);
    s->room[1] = gdrq_alloc(n, sizeof *s->room[1]);
    return make_moments(&s->measured, n) && make_moments(&s->in_float, n) && s->rolling_mean &&
           s->rolling_variance && s->room[0] && s->room[1];
}

#ifdef GPU
static gdrq_status make_room_on_gpu(gdrq_statistics *s, gdrq_error *err) {
    int channels = 1;
    for (int i = 0; i < s->net->n; i++)
        if (s->of_layer[i].channels > channels)
            channels = s->of_layer[i].channels;
    cuda_set_device(s->net->gpu_index);
    return gdrq_statistics_gpu_room(channels, &s->room_on_gpu, err);
}
#endif

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
            ok = make_room(&s->of_layer[i], &net->layers[i]);
    gdrq_status status = GDRQ_OK;
    if (!ok)
        status =
            gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the statistics of batch norm");
#ifdef GPU
    else if (gdrq_is_on_gpu(net))
        status = make_room_on_gpu(s, err);
#endif
    if (status == GDRQ_OK)
        return GDRQ_OK;
    gdrq_statistics_free(s);
    *out = NULL;
    return status;
}

/*
 * Joins the statistics of `count` more values per channel, with variances over count - 1: Chan,
 * Golub and LeVeque, The American Statistician 37 (1983), 242.
 */
static void join(moments *m, int channels, double count, float *const *mean_and_variance) {
    const double all = m->count + count;
    for (int c = 0; c < channels; c++) {
        const double difference = mean_and_variance[0][c] - m->mean[c];
        m->mean[c] += difference * count / all;
        m->squares[c] += mean_and_variance[1][c] * (count - 1) +
                         difference * difference * m->count * count / all;
    }
    m->count = all;
}

/* Variance over all values, as the host's of one batch. */
static double variance_of(const moments *m, int c) {
    return m->count > 1 ? m->squares[c] / (m->count - 1) : 0;
}

static void set_anew(const layer_statistics *s, const layer *l) {
    for (int c = 0; c < s->channels; c++) {
        l->rolling_mean[c] = (float)s->measured.mean[c];
        l->rolling_variance[c] = (float)variance_of(&s->measured, c);
    }
}

/* Of a channel, before its variance is taken for a measured one: that of few may be next to 0. */
enum { ENOUGH_VALUES = 32 };

/* By how much quantising may change a variance, at most: one that was next to 0 says nothing of the
   pictures on which the channel has values. */
static const double most_ratio = 4;

/* Both have seen the same images: images that differ are no shift. */
static void shift(const layer_statistics *s, const layer *l) {
    for (int c = 0; c < s->channels; c++) {
        const double before = variance_of(&s->in_float, c), now = variance_of(&s->measured, c);
        const bool varies = s->measured.count >= ENOUGH_VALUES && before > 0;
        const double ratio = varies ? fmin(fmax(now / before, 1 / most_ratio), most_ratio) : 1;
        l->rolling_mean[c] =
            (float)(s->rolling_mean[c] + s->measured.mean[c] - s->in_float.mean[c]);
        l->rolling_variance[c] = (float)(s->rolling_variance[c] * ratio);
    }
}

/* A layer with batch norm as a convolution with these sums. */
typedef struct normalised {
    layer as_convolution;
    const float *factor, *sums;
} normalised;

static normalised normalised_by(const gdrq_statistics *s, int i) {
    layer l = s->net->layers[i];
    const gdrq_quantised *q = gdrq_quantised_state(&l);
    const float *sums = l.x;
    if (l.type == BATCHNORM) {
        sums = i > 0 ? s->net->layers[i - 1].output : s->input;
        l.activation = LINEAR;
    }
    l.n = l.out_c;
    l.batch_normalize = 1;
    return (normalised){l, q ? q->factor : NULL, sums};
}

static void add(const normalised *n, layer_statistics *of, moments *to) {
    const layer *l = &n->as_convolution;
    const gdrq_bn_shape shape = {l->batch, of->channels, l->outputs / of->channels};
    gdrq_batchnorm_statistics(&shape, n->sums, n->factor, of->room[0], of->room[1]);
    join(to, of->channels, (double)shape.batch * shape.spatial, of->room);
}

static void measure_in_float(void *user, int i) {
    const gdrq_statistics *s = user;
    layer_statistics *of = &s->of_layer[i];
    if (!of->channels)
        return;
    const normalised n = normalised_by(s, i);
    add(&n, of, &of->in_float);
}

static void measure(void *user, int i) {
    const gdrq_statistics *s = user;
    layer_statistics *of = &s->of_layer[i];
    if (!of->channels)
        return;
    normalised n = normalised_by(s, i);
    layer *l = &n.as_convolution;
    add(&n, of, &of->measured);
    if (s->how == GDRQ_MEASURE_SHIFT)
        shift(of, l);
    else if (of->measured.count > 1)
        set_anew(of, l);
    gdrq_normalise_sums(l, n.factor, n.sums, false, of->room[0], of->room[1]);
}

/* As the network was before it was quantised and shifted. */
static void predict_in_float(gdrq_statistics *s, float *input) {
    gdrq_training *training = &gdrq_network_state_find(s->net)->training;
    const bool before = training->unquantised;
    for (int i = 0; i < s->net->n; i++) {
        const layer_statistics *of = &s->of_layer[i];
        const layer *l = &s->net->layers[i];
        const size_t bytes = (size_t)of->channels * sizeof(float);
        if (!of->channels)
            continue;
        memcpy(l->rolling_mean, of->rolling_mean, bytes);
        memcpy(l->rolling_variance, of->rolling_variance, bytes);
    }
    training->unquantised = true;
    gdrq_network_predict_watched(s->net, input, measure_in_float, s);
    training->unquantised = before;
}

#ifdef GPU

static void measure_on_gpu(void *user, int i) {
    const gdrq_statistics *s = user;
    layer_statistics *of = &s->of_layer[i];
    const layer *l = &s->net->layers[i];
    gdrq_error err;
    if (!of->channels)
        return;
    gdrq_must(gdrq_statistics_gpu_measure(l, s->room_on_gpu, of->room[0], of->room[1], &err), &err);
    join(&of->measured, of->channels, (double)l->batch * (l->outputs / of->channels), of->room);
    if (of->measured.count > 1)
        set_anew(of, l);
    gdrq_must(gdrq_statistics_gpu_renew(l, &err), &err);
}

static float *predict_on_gpu(gdrq_statistics *s, const float *input) {
    gdrq_training *training = &gdrq_network_state_find(s->net)->training;
    training->keeps_sums = true;
    float *output = gdrq_gpu_predict(s->net, NULL, input, measure_on_gpu, s);
    training->keeps_sums = false;
    return output;
}

#endif

float *gdrq_statistics_predict(gdrq_statistics *s, float *input) {
#ifdef GPU
    if (gdrq_is_on_gpu(s->net))
        return predict_on_gpu(s, input);
#endif
    s->input = input;
    if (s->how == GDRQ_MEASURE_SHIFT)
        predict_in_float(s, input);
    return gdrq_network_predict_watched(s->net, input, measure, s);
}

static void free_moments(moments *m) {
    free(m->mean);
    free(m->squares);
}

void gdrq_statistics_free(gdrq_statistics *s) {
    for (int i = 0; s && s->of_layer && i < s->net->n; i++) {
        layer_statistics *of = &s->of_layer[i];
        free_moments(&of->measured);
        free_moments(&of->in_float);
        free(of->rolling_mean);
        free(of->rolling_variance);
        free(of->room[0]);
        free(of->room[1]);
    }
    if (!s)
        return;
#ifdef GPU
    gdrq_device_free(s->room_on_gpu);
#endif
    free(s->of_layer);
    free(s);
}
