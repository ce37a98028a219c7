/*
 * Equalising the channels that depthwise convolutions read (gdrq_network_equalising()), after
 * Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction (ICCV 2019).
 *
 * One threshold clips all channels of a tensor, so of a channel whose values are a hundredth of the
 * largest one's, 8 bits leave one. Where a tensor has one reader and the activation before it is
 * positively homogeneous, f(s*x) = s*f(x) for s > 0, a channel may be multiplied by s and the
 * weights that read it divided by s. In general that moves the trouble to the weights; but a filter
 * of a depthwise convolution reads one channel, and where it has a step of its own it's free there.
 */
#ifndef GDRQ_HOST_EQUALISE_H
#define GDRQ_HOST_EQUALISE_H

#include "darknet.h"
#include "gdrq.h"

typedef struct gdrq_equaliser gdrq_equaliser;

/* `net` must outlive it. Free with gdrq_equaliser_free(). */
gdrq_status gdrq_equaliser_new(const network *net, gdrq_equaliser **out, gdrq_error *err);

/* As network_predict(), and notes how far the channels of each such tensor reach. */
float *gdrq_equaliser_predict(gdrq_equaliser *equaliser, float *input);

/*
 * Multiplies channels by what takes them as far as their tensor's furthest one (256 at most), in
 * the batch norm or the filters before, and divides the weights behind. *tensors: how many were
 * equalised, which is none before a predict. GDRQ_ERROR_STATE, and nothing changes, where weights'
 * thresholds were learned before: they would no longer fit.
 */
gdrq_status gdrq_equaliser_apply(gdrq_equaliser *equaliser, int *tensors, gdrq_error *err);

void gdrq_equaliser_free(gdrq_equaliser *equaliser);

#endif
