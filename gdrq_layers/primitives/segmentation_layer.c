#include "primitives/segmentation_layer.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "primitives/blas.h"
#include "primitives/exponential.h"
#include "primitives/kernels.h"
#include "primitives/segmentation_class.h"

/* Pixels that are worked on together: their scores of all classes stay in the cache. */
enum { PIXELS = 256 };

void gdrq_make_segmentation_layer(layer *l, float *class_weights) {
    l->classes = l->c;
    l->truths = l->w * l->h;
    l->scales = class_weights;
    l->forward = gdrq_forward_segmentation_layer;
    l->backward = gdrq_backward_segmentation_layer;
}

bool gdrq_is_segmentation_layer(const layer *l) {
    return l->type == SOFTMAX && l->classes > 0;
}

/* Per pixel: -log(p) of a class whose score is x is log(sum) - (x - largest). */
typedef struct normaliser {
    float largest[PIXELS]; /* of the scores */
    float sum[PIXELS];     /* of exp(score - largest), at least 1 */
} normaliser;

/* n pixels; the classes' planes of x and y lie `plane` values apart. NaNs are not largest. */
GDRQ_KERNEL void softmax_pixels(const float *restrict x, int classes, size_t plane, size_t n,
                                float *restrict y, normaliser *restrict by) {
    for (size_t i = 0; i < n; i++)
        by->largest[i] = -FLT_MAX;
    for (int c = 0; c < classes; c++)
        for (size_t i = 0; i < n; i++) {
            const float score = x[(size_t)c * plane + i];
            by->largest[i] = score > by->largest[i] ? score : by->largest[i];
        }
    for (size_t i = 0; i < n; i++)
        by->sum[i] = 0;
    for (int c = 0; c < classes; c++)
        for (size_t i = 0; i < n; i++) {
            const size_t at = (size_t)c * plane + i;
            y[at] = gdrq_exp_of_negative(x[at] - by->largest[i]);
            by->sum[i] += y[at];
        }
    for (int c = 0; c < classes; c++)
        for (size_t i = 0; i < n; i++)
            y[(size_t)c * plane + i] /= by->sum[i];
}

/* Part of one image: everything below points to its first pixel. */
typedef struct pixels {
    const float *x, *p, *truth; /* scores, probabilities, classes */
    float *delta, *loss;        /* the direction of descent, and each pixel's loss */
    size_t n, plane;
    float share; /* 1 / pixels of the image that have a class */
} pixels;

static void learn(const layer *l, const pixels *at, const normaliser *by) {
    for (size_t i = 0; i < at->n; i++) {
        const int class_id = gdrq_segmentation_class(at->truth[i], l->classes);
        const float weight = class_id < 0 ? 0 : l->scales[class_id] * at->share;
        for (int c = 0; c < l->classes; c++) {
            const size_t k = (size_t)c * at->plane + i;
            at->delta[k] = weight ? weight * ((float)(c == class_id) - at->p[k]) : 0;
        }
        at->loss[i] = 0;
        if (weight)
            at->loss[i] = weight * (logf(by->sum[i]) -
                                    (at->x[(size_t)class_id * at->plane + i] - by->largest[i]));
    }
}

static float share_of_pixel(const layer *l, const float *truth) {
    int known = 0;
    for (int i = 0; i < l->truths; i++)
        known += gdrq_segmentation_class(truth[i], l->classes) >= 0;
    return known ? 1.f / (float)known : 0;
}

/* Pixels first..first+PIXELS-1 of image b, or as many as there are; share < 0: no truth. */
static void forward_pixels(const layer *l, const network *net, int b, int first, float share) {
    normaliser by;
    const size_t plane = (size_t)l->truths, from = (size_t)first;
    const size_t begin = (size_t)b * (size_t)l->inputs + from;
    pixels at = {.x = net->input + begin,
                 .p = l->output + begin,
                 .n = plane - from < PIXELS ? plane - from : PIXELS,
                 .plane = plane,
                 .share = share};
    softmax_pixels(at.x, l->classes, plane, at.n, l->output + begin, &by);
    if (share < 0)
        return;
    at.truth = net->truth + (size_t)b * plane + from;
    at.delta = l->delta + begin;
    at.loss = l->loss + (size_t)b * (size_t)l->inputs + from;
    learn(l, &at, &by);
}

static double sum_of_losses(const layer *l) {
    double sum = 0;
    for (int b = 0; b < l->batch; b++)
        sum += gdrq_sum_in_lanes(l->loss + (size_t)b * (size_t)l->inputs, (size_t)l->truths);
    return sum;
}

void gdrq_forward_segmentation_layer(layer l, network net) {
    for (int b = 0; b < l.batch; b++) {
        const float share =
            net.truth ? share_of_pixel(&l, net.truth + (size_t)b * (size_t)l.truths) : -1;
#pragma omp parallel for schedule(static) if ((size_t)l.inputs >= GDRQ_PARALLEL_FROM)
        for (int first = 0; first < l.truths; first += PIXELS)
            forward_pixels(&l, &net, b, first, share);
    }
    if (net.truth)
        *l.cost = (float)sum_of_losses(&l);
}

void gdrq_backward_segmentation_layer(layer l, network net) {
    if (net.delta)
        gdrq_add_scaled(1, l.delta, (size_t)l.batch * (size_t)l.inputs, net.delta);
}
