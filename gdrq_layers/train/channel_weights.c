#include "train/channel_weights.h"

#include <math.h>
#include <stdbool.h>

#include "primitives/batchnorm.h"

static double sum_of_squares(const float *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

/* What filter f adds, that reads l->c / l->groups channels. */
static void add_filter(const layer *l, int f, double scale, float *weights) {
    const int channels = l->c / l->groups, taps = l->size * l->size;
    const int group = f / (l->n / l->groups);
    for (int c = 0; c < channels; c++)
        weights[group * channels + c] +=
            (float)(scale * scale *
                    sum_of_squares(l->weights + ((size_t)f * channels + c) * taps, taps));
}

static void normalise(float *weights, int n) {
    double mean = 0;
    for (int c = 0; c < n; c++)
        mean += (double)weights[c] / n;
    const bool known = mean > 0 && isfinite(mean);
    for (int c = 0; c < n; c++)
        weights[c] = known ? fmaxf((float)(weights[c] / mean), GDRQ_LEAST_CHANNEL_WEIGHT) : 1;
}

void gdrq_channel_weights(const layer *l, float *scale, float *bias, float *weights) {
    if (l->batch_normalize)
        gdrq_batchnorm_fold(l->n, NULL, l->scales, l->biases, l->rolling_mean, l->rolling_variance,
                            scale, bias);
    for (int c = 0; c < l->c; c++)
        weights[c] = 0;
    for (int f = 0; f < l->n; f++)
        add_filter(l, f, l->batch_normalize ? scale[f] : 1, weights);
    normalise(weights, l->c);
}
