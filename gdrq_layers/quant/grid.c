#include "quant/grid.h"

#include "quant/grid_steps.h"

gdrq_grid gdrq_weight_grid(int bits, float threshold) {
    return gdrq_signed_grid(bits, threshold);
}

gdrq_grid gdrq_activation_grid(int bits, gdrq_range range, float slope, float threshold) {
    return gdrq_ranged_grid(bits, range, slope, threshold);
}
