/*
 * What segmentation ends with at inference: the likeliest class of every pixel, straight from the
 * last convolution's scores. Softmax keeps their order, so it need not run.
 */
#ifndef GDRQ_INFER_ARGMAX_H
#define GDRQ_INFER_ARGMAX_H

#include "infer/ops.h"

/*
 * scores: NCHW, shape.c <= 256 classes. classes: shape.h * shape.w, the class with the highest
 * score; of equal ones the first. A NaN is never the highest; if all are, it is class 0. Returns
 * whether all scores are finite. Threaded.
 */
bool gdrq_argmax(gdrq_tensor_shape shape, const float *scores, uint8_t *classes);

#endif
