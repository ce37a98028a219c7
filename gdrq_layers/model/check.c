#include "model/check.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/finite.h"
#include "base/status.h"
#include "quant/pack.h"

static bool is_bits(int bits) {
    return bits >= 2 && bits <= 8;
}

static bool is_range(gdrq_range range) {
    return range == GDRQ_RANGE_UNSIGNED || range == GDRQ_RANGE_SIGNED || range == GDRQ_RANGE_OFFSET;
}

gdrq_grid gdrq_folded_grid(int bits, gdrq_range range) {
    return is_bits(bits) && is_range(range) ? gdrq_activation_grid(bits, range, GDRQ_LEAKY_SLOPE, 0)
                                            : (gdrq_grid){0};
}

gdrq_status gdrq_folded_check_counts(const gdrq_folded_checker *c, gdrq_error *err) {
    const int classes = c->folded->n_classes, layers = c->folded->n_layers;
    if (classes < 0 || classes > GDRQ_FOLDED_MAX_LAYERS)
        return gdrq_fail(err, c->status, "%s: number of classes %d is not in 0..%d", c->path,
                         classes, GDRQ_FOLDED_MAX_LAYERS);
    if (layers < 0 || layers > GDRQ_FOLDED_MAX_LAYERS)
        return gdrq_fail(err, c->status, "%s: number of layers %d is not in 0..%d", c->path, layers,
                         GDRQ_FOLDED_MAX_LAYERS);
    return GDRQ_OK;
}

static int32_t bits_of_float(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/*
 * gdrq_activation_grid() rounds T/top to float for the one and top/T for the other, so that
 * inv_step is 1/step up to one rounding of T/top, one of top/T and one here: two units in the last
 * place. Positive floats are ordered as their bits.
 */
static bool are_inverse(float step, float inv_step) {
    const int32_t distance = bits_of_float((float)(1 / (double)step)) - bits_of_float(inv_step);
    return distance >= -2 && distance <= 2;
}

/*
 * A subnormal number has lost the precision that are_inverse() relies on, and is 0 to a processor
 * that flushes such numbers, as a libdarknet that was built with -Ofast makes it do.
 */
static bool is_normal(float x) {
    return isnormal(x) && x > 0;
}

static gdrq_status check_steps(const gdrq_folded_checker *c, int i, gdrq_error *err) {
    const float step = c->folded->classes[i].grid.step,
                inv_step = c->folded->classes[i].grid.inv_step;
    if (bits_of_float(step) == 0 && bits_of_float(inv_step) == 0)
        return GDRQ_OK;
    if (!is_normal(step))
        return gdrq_fail(err, c->status, "%s: class %d: step %g is not in %g..%g", c->path, i,
                         (double)step, (double)FLT_MIN, 1 / (double)FLT_MIN);
    if (!is_normal(inv_step) || !are_inverse(step, inv_step))
        return gdrq_fail(err, c->status, "%s: class %d: inverse step %.9g is not 1/step = %.9g",
                         c->path, i, (double)inv_step, 1 / (double)step);
    return GDRQ_OK;
}

static gdrq_status check_class(const gdrq_folded_checker *c, int i, gdrq_error *err) {
    const gdrq_folded_class *class = &c->folded->classes[i];
    if (class->tensor < -1 || class->tensor >= GDRQ_FOLDED_MAX_LAYERS)
        return gdrq_fail(err, c->status, "%s: class %d: tensor %d is not in -1..%d", c->path, i,
                         class->tensor, GDRQ_FOLDED_MAX_LAYERS - 1);
    if (!is_bits(class->bits))
        return gdrq_fail(err, c->status, "%s: class %d: bits %d is not in 2..8", c->path, i,
                         class->bits);
    if (!is_range(class->range))
        return gdrq_fail(err, c->status, "%s: class %d: range %d is not in 1..3", c->path, i,
                         (int)class->range);
    const gdrq_grid expected = gdrq_folded_grid(class->bits, class->range);
    const gdrq_grid *grid = &class->grid;
    if (grid->zero != expected.zero)
        return gdrq_fail(err, c->status, "%s: class %d: zero code %d is not %d", c->path, i,
                         grid->zero, expected.zero);
    if (grid->min != expected.min || grid->max != expected.max)
        return gdrq_fail(err, c->status, "%s: class %d: codes %d..%d are not %d..%d", c->path, i,
                         grid->min, grid->max, expected.min, expected.max);
    return check_steps(c, i, err);
}

gdrq_status gdrq_folded_check_classes(const gdrq_folded_checker *c, gdrq_error *err) {
    bool seen[GDRQ_FOLDED_MAX_LAYERS + 1] = {false}; /* by tensor + 1 */
    for (int i = 0; i < c->folded->n_classes; ++i) {
        const gdrq_status status = check_class(c, i, err);
        if (status != GDRQ_OK)
            return status;
        bool *taken = &seen[c->folded->classes[i].tensor + 1];
        if (*taken)
            return gdrq_fail(err, c->status, "%s: class %d: tensor %d has a class already", c->path,
                             i, c->folded->classes[i].tensor);
        *taken = true;
    }
    return GDRQ_OK;
}

static gdrq_status check_folded_fields(const gdrq_folded_checker *c, const gdrq_folded_layer *l,
                                       gdrq_error *err) {
    if (!is_bits(l->weight_bits))
        return gdrq_fail(err, c->status, "%s: layer %d: weight bits %d is not in 2..8", c->path,
                         l->index, l->weight_bits);
    if (l->input < 0 || l->input >= c->folded->n_classes)
        return gdrq_fail(err, c->status, "%s: layer %d: class %d is not one of the %d", c->path,
                         l->index, l->input, c->folded->n_classes);
    if (c->folded->classes[l->input].tensor >= l->index)
        return gdrq_fail(err, c->status,
                         "%s: layer %d: class %d is of tensor %d, which this layer can't read",
                         c->path, l->index, l->input, c->folded->classes[l->input].tensor);
    if (l->filters < 1)
        return gdrq_fail(err, c->status, "%s: layer %d: filters %d is not 1 or more", c->path,
                         l->index, l->filters);
    if (l->filter_size < 1 || l->filter_size > INT_MAX)
        return gdrq_fail(err, c->status, "%s: layer %d: filter size %zu is not in 1..%d", c->path,
                         l->index, l->filter_size, INT_MAX);
    return GDRQ_OK;
}

gdrq_status gdrq_folded_check_fields(const gdrq_folded_checker *c, int i, gdrq_error *err) {
    const gdrq_folded_layer *l = &c->folded->layers[i];
    const int before = i > 0 ? c->folded->layers[i - 1].index : -1;
    if (l->index <= before || l->index >= GDRQ_FOLDED_MAX_LAYERS)
        return gdrq_fail(err, c->status, "%s: entry %d of layers: index %d is not in %d..%d",
                         c->path, i, l->index, before + 1, GDRQ_FOLDED_MAX_LAYERS - 1);
    if (l->weight_bits != 0)
        return check_folded_fields(c, l, err);
    if (l->n_floats < 1)
        return gdrq_fail(err, c->status, "%s: layer %d: has no floats", c->path, l->index);
    return GDRQ_OK;
}

static gdrq_status check_floats(const gdrq_folded_checker *c, const gdrq_folded_layer *l,
                                const char *name, const float *x, size_t n, gdrq_error *err) {
    size_t i = 0;
    if (gdrq_all_finite(x, n))
        return GDRQ_OK;
    while (isfinite(x[i]))
        ++i;
    return gdrq_fail(err, c->status, "%s: layer %d: %s %zu is not a finite number", c->path,
                     l->index, name, i);
}

static gdrq_status check_codes(const gdrq_folded_checker *c, const gdrq_folded_layer *l,
                               gdrq_error *err) {
    const size_t size = gdrq_packed_size(l->filter_size, l->weight_bits);
    for (int f = 0; f < l->filters; ++f)
        if (!gdrq_packed_is_good(l->weights + (size_t)f * size, l->filter_size, l->weight_bits))
            return gdrq_fail(err, c->status,
                             "%s: layer %d: packed weights of filter %d are no codes of %d bits",
                             c->path, l->index, f, l->weight_bits);
    return GDRQ_OK;
}

gdrq_status gdrq_folded_check_arrays(const gdrq_folded_checker *c, int i, gdrq_error *err) {
    const gdrq_folded_layer *l = &c->folded->layers[i];
    if (l->weight_bits == 0)
        return check_floats(c, l, "float", l->floats, l->n_floats, err);
    const size_t filters = (size_t)l->filters;
    gdrq_status status = check_codes(c, l, err);
    if (status == GDRQ_OK)
        status = check_floats(c, l, "scale", l->scale, filters, err);
    if (status == GDRQ_OK)
        status = check_floats(c, l, "bias", l->bias, filters, err);
    return status;
}
