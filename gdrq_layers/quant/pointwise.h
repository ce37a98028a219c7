/* What quantising does to one value; v = x * inv_step. */
#ifndef GDRQ_QUANT_POINTWISE_H
#define GDRQ_QUANT_POINTWISE_H

#include <math.h>
#include <stdbool.h>

#include "base/everywhere.h"
#include "quant/rounding.h"

/* v within [min, max]; NaN stays NaN. */
GDRQ_EVERYWHERE float gdrq_clip(float v, float min, float max) {
    v = v < min ? min : v;
    return v > max ? max : v;
}

/* dQ(x)/dstep (quant/gradient.h); without rounding 0 inside of the range. */
GDRQ_EVERYWHERE float gdrq_step_slope(float v, float min, float max, bool round) {
    const float inside = round ? gdrq_round_half_even(v) - v : 0.f;
    const float above = v > max ? max : inside;
    return v < min ? min : above;
}

/* |x - Q(x)| in steps. */
GDRQ_EVERYWHERE float gdrq_rounding_error(float v, float min, float max) {
    return fabsf(v - gdrq_round_half_even(gdrq_clip(v, min, max)));
}

/* e^norm, norm 1..GDRQ_MAX_NORM */
GDRQ_EVERYWHERE float gdrq_error_power(float e, int norm) {
    const float square = e * e;
    return norm == 1 ? e : norm == 2 ? square : norm == 3 ? square * e : square * square;
}

#endif
