/*
 * What moves codes and values on the GPU: the functions queue what those of infer/ops.h without
 * `cuda` in their names do, to the bit. All arrays are in the GPU's memory, at multiples of 4.
 */
#ifndef GDRQ_INFER_CUDA_MOVES_H
#define GDRQ_INFER_CUDA_MOVES_H

#include "gdrq.h"
#include "infer/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

gdrq_status gdrq_cuda_maxpool(const gdrq_int_pool *pool, const uint8_t *in, uint8_t *out,
                              gdrq_error *err);
gdrq_status gdrq_cuda_maxpool_values(const gdrq_int_pool *pool, const float *in, float *out,
                                     gdrq_error *err);
gdrq_status gdrq_cuda_upsample(gdrq_tensor_shape in, int stride, const uint8_t *in_codes,
                               uint8_t *out, gdrq_error *err);
/* The parts themselves are in the host's memory. */
gdrq_status gdrq_cuda_route(int w, int h, const gdrq_int_part *parts, int n, uint8_t *out,
                            gdrq_error *err);
gdrq_status gdrq_cuda_reorg(gdrq_tensor_shape in, gdrq_tensor_shape out, int stride, bool reverse,
                            const uint8_t *in_codes, uint8_t *out_codes, gdrq_error *err);
gdrq_status gdrq_cuda_crop(gdrq_tensor_shape in, gdrq_tensor_shape out, const uint8_t *in_codes,
                           uint8_t *out_codes, gdrq_error *err);
gdrq_status gdrq_cuda_quantise(gdrq_tensor_shape shape, const gdrq_grid *grid, const float *values,
                               uint8_t *codes, gdrq_error *err);
gdrq_status gdrq_cuda_interleave(gdrq_tensor_shape shape, const float *values, float *interleaved,
                                 gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
