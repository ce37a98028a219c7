/* Random arrays for tests of kernels. */
#ifndef TESTS_CUDA_RANDOM_VALUES_H
#define TESTS_CUDA_RANDOM_VALUES_H

#include <vector>

#include "random_data.h"

static inline std::vector<float> random_values(size_t n, float deviation) {
    std::vector<float> x(n);
    for (float &v : x)
        v = deviation * random_normal();
    return x;
}

/* `smallest`: the size below which a difference counts as if the value had that size. */
static inline void assert_near(double got, double expected, double tolerance, double smallest,
                               const char *what) {
    if (!(fabs(got - expected) <= tolerance * (smallest + fabs(expected))))
        fail_msg("%s: %.9g instead of %.9g", what, got, expected);
}

#endif
