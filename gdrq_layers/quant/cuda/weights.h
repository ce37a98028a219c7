/* quant/quantise.h's functions on weights, for arrays on the GPU. All only queue their work. */
#ifndef GDRQ_QUANT_CUDA_WEIGHTS_H
#define GDRQ_QUANT_CUDA_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdrq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An array on the GPU, in groups of consecutive elements, each with a T of its own. */
typedef struct gdrq_cuda_groups {
    int groups;
    size_t group_size;
    double *sums; /* room for gdrq_cuda_group_sums() */
} gdrq_cuda_groups;

/* How many sums quantising takes room for. */
size_t gdrq_cuda_group_sums(int groups, size_t group_size);

/* What quantising makes of an array. */
typedef struct gdrq_cuda_weight_codes {
    float *codes, *steps; /* steps: of the groups */
    float *used;          /* codes[i] * step of its group, what the codes stand for; or NULL */
} gdrq_cuda_weight_codes;

/* All of `to`, in one pass. T of group g is thresholds[g], or k * mean|w| where thresholds is NULL.
 */
gdrq_status gdrq_cuda_quantise_weights(const gdrq_cuda_groups *of, const float *weights, int bits,
                                       float k, const float *thresholds, bool round,
                                       const gdrq_cuda_weight_codes *to, gdrq_error *err);

/* Bytes that a search takes room for; 0 where groups are small. */
size_t gdrq_cuda_search_room(int groups, size_t group_size);

/* What a search goes by; prints has room for a number per group. */
typedef struct gdrq_cuda_search {
    int bits, norm;
    const float *known; /* NULL: none */
    /* `found` and `prints` are as the last search left them, so that groups whose weights, by their
       fingerprints, are the same since keep their T. */
    bool reuses;
    uint64_t *prints;
    void *room; /* gdrq_cuda_search_room() bytes */
} gdrq_cuda_search;

/* found[g] = known[g] where that is above 0, else the T that loses least. */
gdrq_status gdrq_cuda_search_weights(const gdrq_cuda_groups *of, const float *weights,
                                     const gdrq_cuda_search *how, float *found, gdrq_error *err);

/* The stored weights of each group clipped to [-T, T], T = k * mean|w|. */
gdrq_status gdrq_cuda_project_weights(const gdrq_cuda_groups *of, float *weights, float k,
                                      gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
