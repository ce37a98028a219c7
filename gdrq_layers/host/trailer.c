#include "host/trailer.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights files are little-endian");

static const char MAGIC[8] = {'G', 'D', 'R', 'Q', 'W', 'T', 'S', '1'};
static const char LONG_MAGIC[8] = {'G', 'D', 'R', 'Q', 'W', 'T', 'S', '2'};
enum {
    HEAD = 8 + 8 + 4,
    ENTRY = 4 + 4 + 4 + 8,
    LONG_ENTRY = ENTRY + 4 + 4,
    LEARNED_HEAD = 4 + 4 + 4,
    MAX_ENTRIES = 65536
};

typedef struct entry {
    int32_t tensor;
    float k, threshold;
    uint64_t moves;
    uint32_t bits, how; /* 0, 0 in a short one: k*mean|x| of unknown bits */
} entry;

static void put(unsigned char **out, const void *value, size_t n) {
    memcpy(*out, value, n);
    *out += n;
}

static void get(const unsigned char **in, void *value, size_t n) {
    memcpy(value, *in, n);
    *in += n;
}

/* The layer's state if it has learned weight thresholds. */
static gdrq_quantised *learned_state(const gdrq_network_state *state, int layer_index) {
    gdrq_quantised *q = gdrq_quantised_state(&state->net->layers[layer_index]);
    return q && q->weight_thresholds_set ? q : NULL;
}

/* Bytes of the table of learned weight thresholds; *layers: its entries. */
static size_t learned_size(const gdrq_network_state *state, uint32_t *layers) {
    size_t size = sizeof *layers;
    *layers = 0;
    for (int i = 0; i < state->net->n; ++i) {
        const gdrq_quantised *q = learned_state(state, i);
        if (!q)
            continue;
        ++*layers;
        size += LEARNED_HEAD + (size_t)q->options.quant_groups * sizeof(float);
    }
    return size;
}

/* What the file says of T: `scale` only if it is k*mean|x|, so that other k and bits can use it.
 * With its next move it follows what the cfg says, whatever it began with. */
static gdrq_threshold found_by(const gdrq_running_threshold *t) {
    const bool is_other = t->moves > 0 && t->moves == t->other_rule_at;
    return is_other && t->how == GDRQ_THRESHOLD_SCALE ? GDRQ_THRESHOLD_SEARCH : t->how;
}

/* Whether the short form, which older versions read, can't say it all. */
static bool needs_long(const gdrq_network_state *state) {
    uint32_t layers;
    learned_size(state, &layers);
    bool all_scale = true;
    for (int i = 0; i < state->tensors.n; ++i)
        all_scale &= found_by(&state->tensors.classes[i]) == GDRQ_THRESHOLD_SCALE ||
                     state->tensors.classes[i].fixed;
    return layers > 0 || !all_scale;
}

size_t gdrq_trailer_size(const gdrq_network_state *state) {
    uint32_t layers;
    const size_t n = (size_t)state->tensors.n;
    return needs_long(state) ? HEAD + n * LONG_ENTRY + learned_size(state, &layers)
                             : HEAD + n * ENTRY;
}

static void put_learned(const gdrq_network_state *state, unsigned char **out) {
    uint32_t layers;
    learned_size(state, &layers);
    put(out, &layers, 4);
    for (int32_t i = 0; i < state->net->n; ++i) {
        const gdrq_quantised *q = learned_state(state, i);
        if (!q)
            continue;
        const uint32_t bits = (uint32_t)q->options.weight_bits;
        const uint32_t groups = (uint32_t)q->options.quant_groups;
        put(out, &i, 4);
        put(out, &bits, 4);
        put(out, &groups, 4);
        put(out, q->weight_thresholds, groups * sizeof(float));
    }
}

/* Of pixels, whose T never moves, this is how a network without others is known to be quantised. */
static uint64_t moves_of_pixels(const gdrq_network_state *state) {
    for (int i = 0; i < state->tensors.n; ++i)
        if (!gdrq_threshold_is_set(&state->tensors.classes[i]))
            return 0;
    return 1;
}

static void put_entry(const gdrq_running_threshold *t, uint64_t moves, bool is_long,
                      unsigned char **out) {
    const int32_t tensor = t->tensor;
    const uint32_t bits = (uint32_t)t->bits, how = (uint32_t)found_by(t);
    put(out, &tensor, 4);
    put(out, &t->k, 4);
    put(out, &t->threshold, 4);
    put(out, &moves, 8);
    if (!is_long)
        return;
    put(out, &bits, 4);
    put(out, &how, 4);
}

void gdrq_trailer_encode(const gdrq_network_state *state, unsigned char *out) {
    const uint32_t n = (uint32_t)state->tensors.n;
    const bool is_long = needs_long(state);
    put(&out, is_long ? LONG_MAGIC : MAGIC, sizeof MAGIC);
    put(&out, &state->training.iteration, 8);
    put(&out, &n, 4);
    const uint64_t of_pixels = moves_of_pixels(state);
    for (uint32_t i = 0; i < n; ++i) {
        const gdrq_running_threshold *t = &state->tensors.classes[i];
        put_entry(t, t->fixed ? of_pixels : t->moves, is_long, &out);
    }
    if (is_long)
        put_learned(state, &out);
}

static bool has_long_entries(const unsigned char *trailer) {
    return memcmp(trailer, LONG_MAGIC, sizeof LONG_MAGIC) == 0;
}

static entry read_entry(const unsigned char **in, bool is_long) {
    entry e = {.bits = 0};
    get(in, &e.tensor, 4);
    get(in, &e.k, 4);
    get(in, &e.threshold, 4);
    get(in, &e.moves, 8);
    if (is_long) {
        get(in, &e.bits, 4);
        get(in, &e.how, 4);
    }
    return e;
}

static uint32_t count_entries(const unsigned char *trailer) {
    uint32_t n;
    memcpy(&n, trailer + 16, 4);
    return n;
}

/* One entry of the table of learned weight thresholds. */
typedef struct learned_entry {
    int32_t layer;
    uint32_t bits, groups;
    const unsigned char *thresholds; /* groups floats, not aligned */
} learned_entry;

/* false if the entry is not whole in the *left bytes at *in, which it is taken from. */
static bool read_learned(const unsigned char **in, size_t *left, learned_entry *e) {
    if (*left < LEARNED_HEAD)
        return false;
    get(in, &e->layer, 4);
    get(in, &e->bits, 4);
    get(in, &e->groups, 4);
    *left -= LEARNED_HEAD;
    if (*left / sizeof(float) < e->groups)
        return false;
    const size_t bytes = (size_t)e->groups * sizeof(float);
    e->thresholds = *in;
    *in += bytes;
    *left -= bytes;
    return true;
}

static float learned_threshold(const learned_entry *e, uint32_t g) {
    float threshold;
    memcpy(&threshold, e->thresholds + g * sizeof threshold, sizeof threshold);
    return threshold;
}

static gdrq_status check_learned_entry(const char *path, const learned_entry *e, gdrq_error *err) {
    for (uint32_t g = 0; g < e->groups; ++g) {
        const float t = learned_threshold(e, g);
        if (!isfinite(t) || t < 0)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: trailer: weight threshold %u of layer %d (%g) is no positive "
                             "number",
                             path, g, e->layer, (double)t);
    }
    return GDRQ_OK;
}

/* The `left` bytes at `in` must be the table of learned weight thresholds, and nothing else. */
static gdrq_status check_learned(const char *path, const unsigned char *in, size_t left,
                                 gdrq_error *err) {
    uint32_t layers = 0;
    bool whole = left >= 4;
    gdrq_status status = GDRQ_OK;
    if (whole) {
        get(&in, &layers, 4);
        left -= 4;
    }
    for (uint32_t i = 0; whole && status == GDRQ_OK && i < layers; ++i) {
        learned_entry e;
        whole = read_learned(&in, &left, &e);
        if (whole)
            status = check_learned_entry(path, &e, err);
    }
    if (status == GDRQ_OK && (!whole || left > 0 || layers > MAX_ENTRIES))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: trailer: the weight thresholds of %u layers don't fit its size: the "
                         "file is damaged",
                         path, layers);
    return status;
}

/* n: bytes of the trailer, its hash included. */
static gdrq_status check_sizes(const char *path, const unsigned char *trailer, size_t n,
                               gdrq_error *err) {
    const size_t entries = count_entries(trailer),
                 of_entry = has_long_entries(trailer) ? LONG_ENTRY : ENTRY;
    const size_t end = HEAD + entries * of_entry + 8;
    if (entries > MAX_ENTRIES || (has_long_entries(trailer) ? n < end : n != end))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: trailer of %zu bytes for %zu thresholds: the file is damaged", path,
                         n, entries);
    return GDRQ_OK;
}

static gdrq_status check_entries(const char *path, const unsigned char *trailer, size_t n,
                                 gdrq_error *err) {
    const unsigned char *in = trailer + HEAD;
    int64_t iteration;
    memcpy(&iteration, trailer + 8, 8);
    if (iteration < 0)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: trailer: iteration %lld is negative", path,
                         (long long)iteration);
    for (uint32_t i = 0; i < count_entries(trailer); ++i) {
        const entry e = read_entry(&in, has_long_entries(trailer));
        if (e.bits > 8 || e.how > GDRQ_THRESHOLD_LEARNED)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: trailer: threshold %u has %u bits, found by way %u: unknown",
                             path, i, e.bits, e.how);
        if (!isfinite(e.threshold) || e.threshold < 0 || !isfinite(e.k) || e.k <= 0)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: trailer: threshold %u (%g, k %g) is no positive number", path, i,
                             (double)e.threshold, (double)e.k);
    }
    const size_t left = n - 8 - (size_t)(in - trailer);
    return has_long_entries(trailer) ? check_learned(path, in, left, err) : GDRQ_OK;
}

gdrq_status gdrq_trailer_check(const char *path, const unsigned char *file, size_t body, size_t n,
                               gdrq_error *err) {
    const unsigned char *trailer = file + body;
    if (n < HEAD + 8 || (memcmp(trailer, MAGIC, sizeof MAGIC) != 0 && !has_long_entries(trailer)))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: %zu bytes, but this network takes %zu: it belongs to another cfg",
                         path, body + n, body);
    const gdrq_status status = check_sizes(path, trailer, n, err);
    if (status != GDRQ_OK)
        return status;
    uint64_t expected;
    memcpy(&expected, trailer + n - 8, 8);
    if (gdrq_hash(GDRQ_HASH, file, body + n - 8) != expected)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: the checksum does not fit: the file is damaged, use an older one",
                         path);
    return check_entries(path, trailer, n, err);
}

/*
 * The tensor's T by what the file says of it; negative if that is of no use. k*mean|x| is that of
 * the cfg's k, if it says one: the usual k may be another than when the weights were trained.
 */
static float threshold_for(const entry *e, const gdrq_running_threshold *t) {
    if (e->how == GDRQ_THRESHOLD_SCALE)
        return t->how == GDRQ_THRESHOLD_SCALE && !t->has_usual_k ? e->threshold * (t->k / e->k)
                                                                 : e->threshold;
    return (int)e->bits == t->bits ? e->threshold : -1;
}

static bool apply_entry(const entry *e, gdrq_network_state *state) {
    for (int i = 0; i < state->tensors.n; ++i) {
        gdrq_running_threshold *t = &state->tensors.classes[i];
        if (t->tensor != e->tensor || t->fixed || e->moves == 0 || threshold_for(e, t) < 0)
            continue;
        t->threshold = threshold_for(e, t);
        t->moves = e->moves;
        t->other_rule_at = e->how != GDRQ_THRESHOLD_SCALE ? e->moves : 0;
        if (t->has_usual_k && e->how == GDRQ_THRESHOLD_SCALE)
            t->k = e->k;
        return true;
    }
    return false;
}

static void apply_learned_entry(const learned_entry *e, const gdrq_network_state *state) {
    if (e->layer < 0 || e->layer >= state->net->n)
        return;
    gdrq_quantised *q = gdrq_quantised_state(&state->net->layers[e->layer]);
    if (!q || !q->weight_thresholds || (int)e->bits != q->options.weight_bits ||
        (int)e->groups != q->options.quant_groups)
        return;
    memcpy(q->weight_thresholds, e->thresholds, e->groups * sizeof(float));
    q->weight_thresholds_set = true;
}

static void apply_learned(const unsigned char *in, size_t left, const gdrq_network_state *state) {
    uint32_t layers;
    get(&in, &layers, 4);
    left -= 4;
    learned_entry e;
    for (uint32_t i = 0; i < layers && read_learned(&in, &left, &e); ++i)
        apply_learned_entry(&e, state);
}

bool gdrq_trailer_has_thresholds(const unsigned char *trailer) {
    const unsigned char *in = trailer + HEAD;
    bool found = false;
    for (uint32_t i = 0; i < count_entries(trailer); ++i)
        found |= read_entry(&in, has_long_entries(trailer)).moves > 0;
    return found;
}

int gdrq_trailer_apply(const unsigned char *trailer, size_t n, gdrq_network_state *state) {
    const unsigned char *in = trailer + HEAD;
    memcpy(&state->training.iteration, trailer + 8, 8);
    state->training.start = state->training.iteration - *state->net->t;
    int applied = 0;
    for (uint32_t i = 0; i < count_entries(trailer); ++i) {
        const entry e = read_entry(&in, has_long_entries(trailer));
        applied += apply_entry(&e, state);
    }
    if (has_long_entries(trailer))
        apply_learned(in, n - 8 - (size_t)(in - trailer), state);
    return applied;
}
