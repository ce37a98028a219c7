#include "train/count_input.h"

#include <math.h>

/* What batch norm multiplies the sums of filter f by. */
static double filter_scale(const layer *l, int f) {
    return l->batch_normalize ? l->scales[f] / (sqrt(l->rolling_variance[f]) + 1e-6) : 1;
}

/* The sum of squares of what channel c's values are multiplied by, over all filters that read it.
 */
static double channel_gain(const layer *l, int c) {
    const int channels = l->c / l->groups, filters = l->n / l->groups, taps = l->size * l->size;
    const int first = c / channels * filters;
    double gain = 0;
    for (int f = first; f < first + filters; f++) {
        const float *w = l->weights + ((size_t)f * channels + c % channels) * taps;
        const double scale = filter_scale(l, f);
        for (int k = 0; k < taps; k++)
            gain += scale * scale * w[k] * w[k];
    }
    return gain;
}

void gdrq_count_input(gdrq_histogram *h, const layer *l, const float *x) {
    const size_t spatial = l->type == CONVOLUTIONAL ? (size_t)l->h * l->w : 0;
    double mean = 0;
    for (int c = 0; spatial && c < l->c; c++)
        mean += channel_gain(l, c) / l->c;
    if (!(mean > 0) || !isfinite(mean)) {
        gdrq_histogram_add(h, x, (size_t)l->batch * l->inputs, 1);
        return;
    }
    for (int c = 0; c < l->c; c++) {
        const double weight = channel_gain(l, c) / mean;
        for (int b = 0; b < l->batch; b++)
            gdrq_histogram_add(h, x + ((size_t)b * l->c + c) * spatial, spatial, weight);
    }
}
