#include "quant/grid.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/* Steps so that code `top` is worth the threshold. */
static void set_step(gdrq_grid *grid, float threshold, int top) {
    /* A step that isn't a normal number has no finite or no precise inverse: T counts as 0. */
    const float step = threshold / (float)top;
    if (!(step >= FLT_MIN))
        return;
    grid->step = step;
    grid->inv_step = (float)((double)top / (double)threshold);
}

gdrq_grid gdrq_weight_grid(int bits, float threshold) {
    assert(bits >= 2 && bits <= 8);
    const int top = (1 << (bits - 1)) - 1;
    gdrq_grid grid = {.min = -top, .max = top};
    set_step(&grid, threshold, top);
    return grid;
}

gdrq_grid gdrq_activation_grid(int bits, gdrq_range range, float slope, float threshold) {
    assert(bits >= 2 && bits <= 8);
    assert(range != GDRQ_RANGE_AUTO);
    if (range == GDRQ_RANGE_SIGNED)
        return gdrq_weight_grid(bits, threshold);
    const int levels = (1 << bits) - 1;
    const int zero =
        range == GDRQ_RANGE_OFFSET ? (int)lrint((double)slope * levels / (1 + (double)slope)) : 0;
    gdrq_grid grid = {.min = -zero, .max = levels - zero, .zero = zero};
    set_step(&grid, threshold, levels - zero);
    return grid;
}
