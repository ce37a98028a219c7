#include "host/outline.h"

#include "base/hash.h"

#include <string.h>

static uint64_t add_int(uint64_t hash, int64_t value) {
    return gdrq_hash(hash, &value, sizeof value);
}

static uint64_t add_float(uint64_t hash, float value) {
    return gdrq_hash(hash, &value, sizeof value);
}

/* Keys that change what a layer without weights computes; their text counts, as it stands. */
static uint64_t add_keys(uint64_t hash, const gdrq_cfg_section *section) {
    static const char *const keys[] = {
        "size",     "stride", "padding",     "reverse", "flatten", "extra", "crop_width",
        "noadjust", "scale",  "crop_height", "kappa",   "alpha",   "beta",  "temperature",
        "classes",  "coords", "num",         "mask",    "anchors", "side",  "groups",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const gdrq_cfg_option *option = gdrq_cfg_find(section, keys[i]);
        hash = add_int(hash, option != NULL);
        if (option)
            hash = gdrq_hash(hash, option->value, strlen(option->value) + 1);
    }
    return hash;
}

static uint64_t add_layer(uint64_t hash, const gdrq_outline_layer *l) {
    const int numbers[] = {(int)l->type, l->quantised,       l->folded, l->n_reads,
                           l->out_c,     (int)l->activation, l->filters};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        hash = add_int(hash, numbers[i]);
    for (int i = 0; i < l->n_reads; i++)
        hash = add_int(hash, l->reads[i]);
    hash = add_float(add_float(hash, l->alpha), l->beta);
    if (l->type == CONNECTED)
        hash = add_int(hash, l->inputs);
    if (!l->quantised)
        return add_keys(hash, l->section);
    const int kernel[] = {l->c,
                          l->size,
                          l->stride,
                          l->pad,
                          l->groups,
                          l->options.weight_bits,
                          l->options.activation_bits,
                          (int)l->options.activation_range};
    for (size_t i = 0; i < sizeof kernel / sizeof *kernel; i++)
        hash = add_int(hash, kernel[i]);
    return hash;
}

uint64_t gdrq_outline_hash(const gdrq_outline *outline) {
    uint64_t hash = add_int(GDRQ_HASH, outline->n);
    hash = add_int(hash, outline->c);
    for (int i = 0; i < outline->n; i++)
        hash = add_layer(hash, &outline->layers[i]);
    return hash;
}
