#include "base/times.h"

#include <stdlib.h>

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

gdrq_times gdrq_times_of(double *seconds, int n) {
    qsort(seconds, (size_t)n, sizeof *seconds, compare);
    return (gdrq_times){.median = seconds[n / 2], .least = seconds[0]};
}
