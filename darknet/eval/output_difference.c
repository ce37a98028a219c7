#include "eval/output_difference.h"

#include <math.h>

void output_difference_add(output_difference *d, const float *a, const float *b, int n) {
    for (int i = 0; i < n; i++)
        if (isfinite(a[i]) && isfinite(b[i]))
            d->largest = fmax(d->largest, fabs((double)a[i] - b[i]));
        else
            d->not_finite++;
}
