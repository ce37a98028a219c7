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
 * 16. `in` may be out->interleaved. shortcut NULL: none, and `shape` is that of the values.
 *
 * A function of GDRQ_INT_OTHER gets an address in the GPU's memory and queues what it does. The
 * values then lie in `scratch`, which may be `in`, of gdrq_cuda_shortcut_scratch() bytes: 0 if
 * there is no such function.
 */
gdrq_status gdrq_cuda_shortcut(const gdrq_int_shortcut *shortcut, gdrq_tensor_shape shape,
                               const float *in, void *scratch, const gdrq_grid *grid,
                               const gdrq_int_output *out, gdrq_error *err);
size_t gdrq_cuda_shortcut_scratch(const gdrq_int_shortcut *shortcut);

#ifdef __cplusplus
}
#endif

#endif
