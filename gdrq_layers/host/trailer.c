#include "host/trailer.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights files are little-endian");

static const char MAGIC[8] = {'G', 'D', 'R', 'Q', 'W', 'T', 'S', '1'};
enum { HEAD = 8 + 8 + 4, ENTRY = 4 + 4 + 4 + 8, MAX_ENTRIES = 65536 };

typedef struct entry {
    int32_t tensor;
    float k, threshold;
    uint64_t moves;
} entry;

size_t gdrq_trailer_size(const gdrq_network_state *state) {
    return HEAD + (size_t)state->tensors.n * ENTRY;
}

static void put(unsigned char **out, const void *value, size_t n) {
    memcpy(*out, value, n);
    *out += n;
}

static void get(const unsigned char **in, void *value, size_t n) {
    memcpy(value, *in, n);
    *in += n;
}

void gdrq_trailer_encode(const gdrq_network_state *state, unsigned char *out) {
    const uint32_t n = (uint32_t)state->tensors.n;
    put(&out, MAGIC, sizeof MAGIC);
    put(&out, &state->training.iteration, 8);
    put(&out, &n, 4);
    for (uint32_t i = 0; i < n; ++i) {
        const gdrq_running_threshold *t = &state->tensors.classes[i];
        const int32_t tensor = t->tensor;
        put(&out, &tensor, 4);
        put(&out, &t->k, 4);
        put(&out, &t->threshold, 4);
        put(&out, &t->moves, 8);
    }
}

static entry read_entry(const unsigned char **in) {
    entry e;
    get(in, &e.tensor, 4);
    get(in, &e.k, 4);
    get(in, &e.threshold, 4);
    get(in, &e.moves, 8);
    return e;
}

static uint32_t count_entries(const unsigned char *trailer) {
    uint32_t n;
    memcpy(&n, trailer + 16, 4);
    return n;
}

static gdrq_status check_entries(const char *path, const unsigned char *trailer, gdrq_error *err) {
    const unsigned char *in = trailer + HEAD;
    int64_t iteration;
    memcpy(&iteration, trailer + 8, 8);
    if (iteration < 0)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: trailer: iteration %lld is negative", path,
                         (long long)iteration);
    for (uint32_t i = 0; i < count_entries(trailer); ++i) {
        const entry e = read_entry(&in);
        if (!isfinite(e.threshold) || e.threshold < 0 || !isfinite(e.k) || e.k <= 0)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: trailer: threshold %u (%g, k %g) is no positive number", path, i,
                             (double)e.threshold, (double)e.k);
    }
    return GDRQ_OK;
}

gdrq_status gdrq_trailer_check(const char *path, const unsigned char *file, size_t body, size_t n,
                               gdrq_error *err) {
    const unsigned char *trailer = file + body;
    if (n < HEAD + 8 || memcmp(trailer, MAGIC, sizeof MAGIC) != 0)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: %zu bytes, but this network takes %zu: it belongs to another cfg",
                         path, body + n, body);
    const uint32_t entries = count_entries(trailer);
    if (entries > MAX_ENTRIES || n != HEAD + (size_t)entries * ENTRY + 8)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: trailer of %zu bytes for %u thresholds: the file is damaged", path, n,
                         entries);
    uint64_t expected;
    memcpy(&expected, trailer + n - 8, 8);
    if (gdrq_hash(GDRQ_HASH, file, body + n - 8) != expected)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: the checksum does not fit: the file is damaged, use an older one",
                         path);
    return check_entries(path, trailer, err);
}

static bool apply_entry(const entry *e, gdrq_network_state *state) {
    for (int i = 0; i < state->tensors.n; ++i) {
        gdrq_running_threshold *t = &state->tensors.classes[i];
        if (t->tensor != e->tensor || t->fixed || e->moves == 0)
            continue;
        /* T is proportional to k: a cfg with another k needs no new calibration. */
        t->threshold = e->threshold * (t->k / e->k);
        t->moves = e->moves;
        return true;
    }
    return false;
}

int gdrq_trailer_apply(const unsigned char *trailer, gdrq_network_state *state) {
    const unsigned char *in = trailer + HEAD;
    memcpy(&state->training.iteration, trailer + 8, 8);
    state->training.start = state->training.iteration - *state->net->t;
    int applied = 0;
    for (uint32_t i = 0; i < count_entries(trailer); ++i) {
        const entry e = read_entry(&in);
        applied += apply_entry(&e, state);
    }
    return applied;
}
