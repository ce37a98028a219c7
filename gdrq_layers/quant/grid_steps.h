/* The grids of grid.h, as functions that CUDA kernels can call, too. */
#ifndef GDRQ_QUANT_GRID_STEPS_H
#define GDRQ_QUANT_GRID_STEPS_H

#include <assert.h>
#include <float.h>
#include <math.h>

#include "base/everywhere.h"
#include "quant/grid.h"

/* Steps so that code `top` is worth the threshold. */
GDRQ_EVERYWHERE void gdrq_set_step(gdrq_grid *grid, float threshold, int top) {
    /* A step that isn't a normal number has no finite or no precise inverse: T counts as 0. */
    const float step = threshold / (float)top;
    if (!(step >= FLT_MIN))
        return;
    grid->step = step;
    grid->inv_step = (float)((double)top / (double)threshold);
}

GDRQ_EVERYWHERE gdrq_grid gdrq_signed_grid(int bits, float threshold) {
    assert(bits >= 2 && bits <= 8);
    const int top = (1 << (bits - 1)) - 1;
    gdrq_grid grid = {0, 0, -top, top, 0};
    gdrq_set_step(&grid, threshold, top);
    return grid;
}

GDRQ_EVERYWHERE gdrq_grid gdrq_ranged_grid(int bits, gdrq_range range, float slope,
                                           float threshold) {
    assert(bits >= 2 && bits <= 8);
    assert(range != GDRQ_RANGE_AUTO);
    if (range == GDRQ_RANGE_SIGNED)
        return gdrq_signed_grid(bits, threshold);
    const int levels = (1 << bits) - 1;
    const int zero =
        range == GDRQ_RANGE_OFFSET ? (int)lrint((double)slope * levels / (1 + (double)slope)) : 0;
    gdrq_grid grid = {0, 0, -zero, levels - zero, zero};
    gdrq_set_step(&grid, threshold, levels - zero);
    return grid;
}

#endif
