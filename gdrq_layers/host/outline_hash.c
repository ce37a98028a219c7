#include "host/outline.h"

#include "base/hash.h"
#include "host/section_keys.h"

#include <string.h>

static uint64_t add_int(uint64_t hash, int64_t value) {
    return gdrq_hash(hash, &value, sizeof value);
}

static uint64_t add_float(uint64_t hash, float value) {
    return gdrq_hash(hash, &value, sizeof value);
}

/* Keys of stock sections that nothing depends on but training and the choice of detections. */
static bool is_of_no_consequence(const char *key) {
    static const char *const keys[] = {
        "truth",      "onlyforward",   "stopbackward",   "dontsave",
        "dontload",   "numload",       "learning_rate",  "dontloadscales",
        "jitter",     "ignore_thresh", "truth_thresh",   "random",
        "max",        "thresh",        "coord_scale",    "object_scale",
        "mask_scale", "class_scale",   "noobject_scale", "rescore",
        "bias_match", "probability",   "smooth",         "dot",
        "flipped",    "class_weights",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i]))
            return true;
    return false;
}

/* In no order: each option by itself, of repeated ones the first. */
static uint64_t add_options(uint64_t hash, const gdrq_cfg_section *section) {
    const gdrq_section_kind *kind = gdrq_section_kind_find(section->name);
    uint64_t sum = 0;
    for (int i = 0; i < section->n; i++) {
        const gdrq_cfg_option *option = &section->options[i];
        const gdrq_key *key = gdrq_key_find(kind, option->key, NULL);
        if (gdrq_cfg_find(section, option->key) != option || is_of_no_consequence(option->key) ||
            key->kind == GDRQ_KEY_IGNORED)
            continue;
        const uint64_t of_key = gdrq_hash(GDRQ_HASH, option->key, strlen(option->key) + 1);
        sum += gdrq_hash(of_key, option->value, strlen(option->value) + 1);
    }
    return add_int(hash, (int64_t)sum);
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
        return add_options(hash, l->section);
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
