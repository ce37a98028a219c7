#include "primitives/cuda/segmentation.h"

#include <float.h>

#include "base/cuda/launch.cuh"
#include "primitives/exponential.h"
#include "primitives/segmentation_class.h"
#include "quant/cuda/reduce.cuh"

/*
 * Where the room to work in has what: an image's first plane begins with the losses of its blocks,
 * and its second one with the share of a pixel. A single class has no second plane and needs none:
 * it has neither loss nor gradient, whatever a pixel counts for.
 */
static __device__ __forceinline__ float *losses_of(const gdrq_cuda_segmentation &s, size_t image) {
    return s.loss + image * s.classes * s.pixels;
}

static __device__ __forceinline__ float *share_of(const gdrq_cuda_segmentation &s, size_t image) {
    return losses_of(s, image) + s.pixels;
}

/* One block an image: 1 / how many of its pixels have a class. Reads 4 bytes per pixel, and writes
   4 per image. */
static __global__ void __launch_bounds__(GDRQ_THREADS) count_known(gdrq_cuda_segmentation s) {
    const float *truth = s.truth + blockIdx.x * s.pixels;
    int known = 0;
    for (size_t i = threadIdx.x; i < s.pixels; i += GDRQ_THREADS)
        known += gdrq_segmentation_class(truth[i], s.classes) >= 0;
    known = gdrq_block_sum(known);
    if (threadIdx.x == 0)
        *share_of(s, blockIdx.x) = known ? 1.f / (float)known : 0;
}

/* Of one pixel, whose arrays point to their numbers of class 0. */
struct pixel {
    const float *x;
    float *p, *delta;
    float largest, sum;
};

/* In the CPU's order of classes. NaNs are not largest. */
static __device__ __forceinline__ void softmax(const gdrq_cuda_segmentation &s, pixel *at) {
    at->largest = -FLT_MAX;
    for (int c = 0; c < s.classes; ++c) {
        const float score = at->x[c * s.pixels];
        at->largest = score > at->largest ? score : at->largest;
    }
    at->sum = 0;
    for (int c = 0; c < s.classes; ++c)
        at->sum += gdrq_exp_of_negative(at->x[c * s.pixels] - at->largest);
    for (int c = 0; c < s.classes; ++c)
        at->p[c * s.pixels] = gdrq_exp_of_negative(at->x[c * s.pixels] - at->largest) / at->sum;
}

/* The gradient; returns the loss. */
static __device__ __forceinline__ float learn(const gdrq_cuda_segmentation &s, const pixel &at,
                                              int class_id, float share) {
    const float weight = class_id < 0 ? 0 : s.class_weights[class_id] * share;
    for (int c = 0; c < s.classes; ++c)
        at.delta[c * s.pixels] =
            weight ? weight * ((float)(c == class_id) - at.p[c * s.pixels]) : 0;
    if (!weight)
        return 0;
    return weight * (logf(at.sum) - (at.x[class_id * s.pixels] - at.largest));
}

/*
 * A thread has a pixel. X: the bytes of the scores. Reads X three times, from the second time on in
 * the caches unless there are hundreds of classes, and writes X; with truth, of which it reads 4
 * bytes per pixel, it reads what it wrote in the caches as well, and writes X of gradient; the loss
 * takes 4 bytes per block. Two exponentials per score instead of one spare an X written and read.
 */
static __global__ void __launch_bounds__(GDRQ_THREADS) segment(gdrq_cuda_segmentation s) {
    const size_t image = blockIdx.y, i = (size_t)blockIdx.x * GDRQ_THREADS + threadIdx.x;
    const size_t begin = image * s.classes * s.pixels + i;
    float loss = 0;
    if (i < s.pixels) {
        pixel at = {s.scores + begin, s.probabilities + begin, s.delta + begin, 0, 0};
        softmax(s, &at);
        if (s.truth) {
            const int class_id = gdrq_segmentation_class(s.truth[image * s.pixels + i], s.classes);
            loss = learn(s, at, class_id, s.classes > 1 ? *share_of(s, image) : 0);
        }
    }
    if (!s.truth)
        return;
    const double sum = gdrq_block_sum((double)loss);
    if (threadIdx.x == 0)
        losses_of(s, image)[blockIdx.x] = (float)sum;
}

/* One block, after all that reads the room to work in. Reads 4 bytes per block of the above. */
static __global__ void __launch_bounds__(GDRQ_THREADS)
    add_losses(gdrq_cuda_segmentation s, unsigned blocks) {
    double loss = 0;
    for (int image = 0; image < s.batch; ++image)
        for (unsigned i = threadIdx.x; i < blocks; i += GDRQ_THREADS)
            loss += (double)losses_of(s, image)[i];
    loss = gdrq_block_sum(loss);
    if (threadIdx.x == 0)
        s.loss[0] = (float)loss;
}

extern "C" gdrq_status gdrq_cuda_segment(const gdrq_cuda_segmentation *s, gdrq_error *err) {
    const unsigned blocks = (unsigned)((s->pixels + GDRQ_THREADS - 1) / GDRQ_THREADS);
    gdrq_status status = GDRQ_OK;
    if (s->truth && s->classes > 1)
        status = GDRQ_LAUNCH(err, (unsigned)s->batch, GDRQ_THREADS, 0, count_known, *s);
    if (status == GDRQ_OK)
        status = GDRQ_LAUNCH(err, dim3(blocks, (unsigned)s->batch), GDRQ_THREADS, 0, segment, *s);
    if (status == GDRQ_OK && s->truth)
        status = GDRQ_LAUNCH(err, 1, GDRQ_THREADS, 0, add_losses, *s, blocks);
    return status;
}
