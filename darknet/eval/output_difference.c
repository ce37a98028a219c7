#include "eval/output_difference.h"

#include <math.h>

void output_difference_add(output_difference *d, const float *a, const float *b, int n) {
    for (int i = 0; i < n; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i])) {
            d->not_finite++;
            continue;
        }
        const double difference = fabs((double)a[i] - b[i]);
        d->largest = fmax(d->largest, difference);
        d->squares += difference * difference;
        d->squares_of_outputs += (double)a[i] * a[i];
    }
}

double output_difference_relative(const output_difference *d) {
    if (d->squares == 0)
        return 0;
    return d->squares_of_outputs > 0 ? sqrt(d->squares / d->squares_of_outputs) : INFINITY;
}
