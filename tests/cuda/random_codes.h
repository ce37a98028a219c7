/* Random floats, grids and codes for tests of the GPU's kernels. */
#ifndef TESTS_CUDA_RANDOM_CODES_H
#define TESTS_CUDA_RANDOM_CODES_H

#include <vector>

#include "random_data.h"

#include "quant/grid.h"

template <size_t N> static int one_of(const int (&values)[N]) {
    return values[random_int(0, (int)N - 1)];
}

static inline std::vector<float> random_floats(size_t n, float deviation) {
    std::vector<float> x(n);
    for (float &v : x)
        v = deviation * random_normal();
    return x;
}

static inline std::vector<uint8_t> random_codes(size_t n) {
    const bool extreme = random_int(0, 4) == 0;
    std::vector<uint8_t> codes(n);
    for (uint8_t &code : codes)
        code = (uint8_t)(extreme ? 255 * random_int(0, 1) : random_int(0, 255));
    return codes;
}

static inline gdrq_grid random_grid() {
    static const gdrq_range ranges[] = {GDRQ_RANGE_UNSIGNED, GDRQ_RANGE_SIGNED, GDRQ_RANGE_OFFSET};
    return gdrq_activation_grid(random_int(2, 8), ranges[random_int(0, 2)], .1f,
                                (float)(.1 + 5 * random_unit()));
}

#endif
