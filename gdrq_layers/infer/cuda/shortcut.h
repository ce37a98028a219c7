/* Shortcuts and what else is made of values, on the GPU. */
#ifndef GDRQ_INFER_CUDA_SHORTCUT_H
#define GDRQ_INFER_CUDA_SHORTCUT_H

#include "gdrq.h"
#include "infer/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Queues gdrq_int_shortcut_run(), to the bit; all arrays are in the GPU's memory, at multiples of
 * 16. `in` may be out->interleaved. Its activation is linear, relu or leaky. shortcut NULL: none,
 * and `shape` is that of the values.
 */
gdrq_status gdrq_cuda_shortcut(const gdrq_int_shortcut *shortcut, gdrq_tensor_shape shape,
                               const float *in, const gdrq_grid *grid, const gdrq_int_output *out,
                               gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
