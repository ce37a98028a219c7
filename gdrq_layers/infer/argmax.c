#include "infer/argmax.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include "base/kernels.h"

enum { PIXELS = 1024 };

/* n <= PIXELS pixels; classes lie `plane` scores apart. */
GDRQ_KERNEL bool argmax_pixels(const float *restrict scores, int classes, size_t plane, size_t n,
                               uint8_t *restrict out) {
    float best[PIXELS];
    int32_t index[PIXELS], odd = 0;
    for (size_t i = 0; i < n; i++) {
        best[i] = -INFINITY;
        index[i] = 0;
    }
    for (int c = 0; c < classes; c++)
        for (size_t i = 0; i < n; i++) {
            const float score = scores[(size_t)c * plane + i];
            index[i] = score > best[i] ? c : index[i];
            best[i] = score > best[i] ? score : best[i];
            odd |= fabsf(score) <= FLT_MAX ? 0 : 1;
        }
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)index[i];
    return !odd;
}

bool gdrq_argmax(gdrq_tensor_shape shape, const float *scores, uint8_t *classes) {
    assert(shape.c <= 256);
    const size_t plane = (size_t)shape.w * (size_t)shape.h;
    bool finite = true;
#pragma omp parallel for schedule(static) reduction(&& : finite) if (gdrq_tensor_size(shape) >= GDRQ_PARALLEL_FROM)
    for (size_t first = 0; first < plane; first += PIXELS)
        finite = argmax_pixels(scores + first, shape.c, plane,
                               plane - first < PIXELS ? plane - first : PIXELS, classes + first) &&
                 finite;
    return finite;
}
