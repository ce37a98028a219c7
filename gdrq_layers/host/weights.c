#include "host/weights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/finite.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/write_all.h"
#include "host/network_state.h"
#include "host/trailer.h"
#include "host/weight_spans.h"
#include "host/scratch_buffer.h"
#ifdef GPU
#include "host/cuda/gpu_network.h"
#endif

/* A mapped file and what its header says. */
typedef struct weights_file {
    const char *path;
    const unsigned char *bytes;
    size_t size;
    size_t header;   /* bytes: 16 or 20 */
    uint64_t seen;   /* images that the network was trained on */
    bool transposed; /* written by an early version: connected weights are transposed */
} weights_file;

/* What of a range of layers a file holds. */
typedef struct coverage {
    size_t expected;        /* bytes for the whole range, header included */
    size_t body;            /* bytes up to the end of the last layer that is whole */
    int layers;             /* layers start..layers-1 are whole */
    int cut;                /* first layer that the file ends inside, -1 if none */
    size_t weighted_layers; /* layers with weights among the whole ones */
} coverage;

static const char *const TYPE_NAMES[] = {
    [CONVOLUTIONAL] = "convolutional",
    [DECONVOLUTIONAL] = "deconvolutional",
    [CONNECTED] = "connected",
    [LOCAL] = "local",
    [RNN] = "rnn",
    [GRU] = "gru",
    [LSTM] = "lstm",
    [CRNN] = "crnn",
    [BATCHNORM] = "batchnorm",
};

static gdrq_status map_file(const char *path, weights_file *file, gdrq_error *err) {
    *file = (weights_file){.path = path};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open weights file", path);
    gdrq_status status = GDRQ_OK;
    struct stat st;
    if (fstat(fd, &st) != 0)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read", path);
    else if (!S_ISREG(st.st_mode))
        status = gdrq_fail(err, GDRQ_ERROR_IO, "%s: not a weights file: not a regular file", path);
    else if (st.st_size < 20)
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %lld bytes is too short for a weights file",
                           path, (long long)st.st_size);
    if (status == GDRQ_OK) {
        file->size = (size_t)st.st_size;
        void *map = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't map", path);
        else
            file->bytes = map;
    }
    close(fd);
    return status;
}

static void unmap_file(weights_file *file) {
    if (file->bytes)
        munmap((void *)file->bytes, file->size);
}

/* Versions from 0.2 on count images in 64 bits, earlier ones in 32; above 1000: transposed. */
static void read_header(weights_file *file) {
    int32_t version[3], seen32;
    memcpy(version, file->bytes, sizeof version);
    const int32_t major = version[0], minor = version[1];
    const bool wide = (int64_t)major * 10 + minor >= 2 && major < 1000 && minor < 1000;
    memcpy(&seen32, file->bytes + 12, sizeof seen32);
    if (wide)
        memcpy(&file->seen, file->bytes + 12, sizeof file->seen);
    else
        file->seen = (uint64_t)(int64_t)seen32;
    file->header = wide ? 20 : 16;
    file->transposed = major > 1000 || minor > 1000;
}

static coverage cover(const network *net, const weights_file *file, int start, int cutoff) {
    coverage c = {.expected = file->header, .body = file->header, .layers = start, .cut = -1};
    for (int i = start; i < cutoff; ++i) {
        const size_t bytes = gdrq_count_weights(&net->layers[i], GDRQ_LOADING) * sizeof(float);
        const size_t end = c.expected + bytes;
        if (c.cut < 0 && end > file->size && c.expected < file->size)
            c.cut = i;
        if (end <= file->size) {
            c.body = end;
            c.layers = i + 1;
            c.weighted_layers += bytes > 0;
        }
        c.expected = end;
    }
    return c;
}

static gdrq_status check_coverage(const network *net, const weights_file *file, const coverage *c,
                                  bool allow_backbone, gdrq_error *err) {
    if (c->expected <= file->size)
        return GDRQ_OK;
    if (c->cut >= 0)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: %zu bytes, but this network takes %zu: the file ends inside layer %d "
                         "[%s]; it is cut short or belongs to another cfg",
                         file->path, file->size, c->expected, c->cut,
                         TYPE_NAMES[net->layers[c->cut].type]);
    if (c->weighted_layers == 0)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: holds no layers", file->path);
    if (!allow_backbone)
        return gdrq_fail(
            err, GDRQ_ERROR_FORMAT,
            "%s: %zu bytes, but this network takes %zu: it ends behind layer %d, so it "
            "is a backbone: train the network from it first (gdrq calibrate and fold "
            "take whole networks)",
            file->path, file->size, c->expected, c->layers - 1);
    return GDRQ_OK;
}

/* Copies arrays from a cursor in the file; sizes were checked before. */
typedef struct copy_in {
    const unsigned char *cursor;
    bool transposed;
} copy_in;

/* out[rows][cols] from in[cols][rows]. */
static void copy_transposed(const unsigned char *in, float *out, int rows, int cols) {
    for (int x = 0; x < rows; ++x)
        for (int y = 0; y < cols; ++y)
            memcpy(&out[(size_t)y * (size_t)rows + (size_t)x],
                   in + ((size_t)x * (size_t)cols + (size_t)y) * sizeof(float), sizeof(float));
}

static bool copy_span(void *user, const gdrq_weight_span *span) {
    copy_in *in = user;
    if (span->rows && (span->flipped || in->transposed))
        copy_transposed(in->cursor, span->data, span->rows, span->cols);
    else
        memcpy(span->data, in->cursor, span->count * sizeof(float));
    in->cursor += span->count * sizeof(float);
    return true;
}

static void copy_layers(network *net, const weights_file *file, int start, int end) {
    copy_in in = {.cursor = file->bytes + file->header, .transposed = file->transposed};
    for (int i = start; i < end; ++i)
        gdrq_visit_weight_spans(&net->layers[i], GDRQ_LOADING, copy_span, &in);
    *net->seen = (size_t)file->seen;
}

static gdrq_status load_mapped(network *net, const weights_file *file, int start, int cutoff,
                               bool allow_backbone, gdrq_load_report *report, gdrq_error *err) {
    const coverage c = cover(net, file, start, cutoff);
    gdrq_status status = check_coverage(net, file, &c, allow_backbone, err);
    if (status != GDRQ_OK)
        return status;
    const bool whole = start == 0 && cutoff == net->n && c.expected <= file->size;
    const size_t behind = whole ? file->size - c.expected : 0;
    if (behind > 0)
        status = gdrq_trailer_check(file->path, file->bytes, c.expected, behind, err);
    if (status != GDRQ_OK)
        return status;
    copy_layers(net, file, start, c.layers);
    gdrq_network_state *state = gdrq_network_state_find(net);
    /* Thresholds belong to the weights that they were measured with. */
    if (state && start == 0)
        gdrq_network_state_reset(state);
    const int thresholds =
        behind > 0 && state ? gdrq_trailer_apply(file->bytes + c.expected, behind, state) : 0;
#ifdef GPU
    if (gdrq_is_on_gpu(net))
        status = gdrq_gpu_push(net, err);
#endif
    if (report)
        *report = (gdrq_load_report){
            .layers = c.layers,
            .complete = c.expected <= file->size,
            .has_thresholds = thresholds > 0,
            .was_quantised = behind > 0 && gdrq_trailer_has_thresholds(file->bytes + c.expected)};
    return status;
}

static gdrq_status load_folded(network *net, gdrq_folded_network *folded, const char *path,
                               int start, int cutoff, gdrq_load_report *report, gdrq_error *err) {
    if (start != 0 || cutoff < net->n)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s: a folded network is loaded as a whole",
                         path);
    const gdrq_status status = gdrq_folded_load(net, folded, path, err);
    if (status == GDRQ_OK && report)
        *report = (gdrq_load_report){
            .layers = net->n, .complete = true, .has_thresholds = true, .was_quantised = true};
    return status;
}

gdrq_status gdrq_weights_load(network *net, const char *path, int start, int cutoff,
                              bool allow_backbone, gdrq_load_report *report, gdrq_error *err) {
    if (cutoff > net->n)
        cutoff = net->n;
    const gdrq_network_state *state = gdrq_network_state_find(net);
    if (state && state->folded)
        return load_folded(net, state->folded, path, start, cutoff, report, err);
    if (gdrq_folded_is(path))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: is the file of a folded network: run it with the cfg that was "
                         "written together with it",
                         path);
    if (start < 0 || start > cutoff)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s: no layers from %d to %d in this network",
                         path, start, cutoff);
    weights_file file;
    gdrq_status status = map_file(path, &file, err);
    if (status == GDRQ_OK) {
        read_header(&file);
        status = load_mapped(net, &file, start, cutoff, allow_backbone, report, err);
    }
    unmap_file(&file);
    return status;
}

/* A file being written, hashed on the way. */
typedef struct writer {
    network *net;
    int cutoff;
    int fd;
    uint64_t hash;
    bool failed;     /* errno says why */
    bool not_finite; /* a weight is NaN or infinite */
} writer;

static void write_hashed(writer *w, const void *bytes, size_t n) {
    w->hash = gdrq_hash(w->hash, bytes, n);
    if (!w->failed)
        w->failed = !gdrq_write_all(w->fd, bytes, n);
}

static bool write_span(void *user, const gdrq_weight_span *span) {
    writer *w = user;
    if (!gdrq_all_finite(span->data, span->count)) {
        w->not_finite = true;
        return false;
    }
    write_hashed(w, span->data, span->count * sizeof(float));
    return !w->failed;
}

static gdrq_status write_trailer(writer *w, gdrq_network_state *state, gdrq_error *err) {
    for (int i = 0; i < state->tensors.n; ++i)
        gdrq_threshold_commit(&state->tensors.classes[i]);
    const size_t n = gdrq_trailer_size(state);
    unsigned char *trailer = gdrq_alloc(n, 1);
    if (!trailer)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the thresholds");
    gdrq_trailer_encode(state, trailer);
    write_hashed(w, trailer, n);
    free(trailer);
    const uint64_t hash = w->hash;
    write_hashed(w, &hash, sizeof hash);
    return GDRQ_OK;
}

static gdrq_status write_weights(void *user, int fd, gdrq_error *err) {
    writer *w = user;
    w->fd = fd;
#ifdef GPU
    if (gdrq_is_on_gpu(w->net)) {
        const gdrq_status pulled = gdrq_gpu_pull(w->net, err);
        if (pulled != GDRQ_OK)
            return pulled;
    }
#endif
    const int32_t version[3] = {0, 2, 0};
    const uint64_t seen = *w->net->seen;
    write_hashed(w, version, sizeof version);
    write_hashed(w, &seen, sizeof seen);
    for (int i = 0; i < w->cutoff && !w->failed; ++i) {
        gdrq_visit_weight_spans(&w->net->layers[i], GDRQ_SAVING, write_span, w);
        if (w->not_finite)
            return gdrq_fail(err, GDRQ_ERROR_STATE,
                             "layer %d has weights that are not finite: training diverged", i);
    }
    gdrq_network_state *state = gdrq_network_state_find(w->net);
    gdrq_status status = GDRQ_OK;
    if (state && state->tensors.n > 0 && w->cutoff == w->net->n && !w->failed)
        status = write_trailer(w, state, err);
    if (w->failed)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "can't write the weights");
    return status;
}

static gdrq_status check_savable(const network *net, gdrq_error *err) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    return state && state->folded
               ? gdrq_fail(err, GDRQ_ERROR_STATE,
                           "the network is folded, and `darknet gdrq fold` alone writes such files")
               : GDRQ_OK;
}

gdrq_status gdrq_network_write(void *net, int fd, gdrq_error *err) {
    writer w = {.net = net, .cutoff = ((network *)net)->n, .hash = GDRQ_HASH};
    const gdrq_status status = check_savable(net, err);
    return status == GDRQ_OK ? write_weights(&w, fd, err) : status;
}

gdrq_status gdrq_weights_save(network *net, const char *path, int cutoff, gdrq_error *err) {
    writer w = {.net = net, .cutoff = cutoff < net->n ? cutoff : net->n, .hash = GDRQ_HASH};
    gdrq_error reason;
    gdrq_status status = check_savable(net, &reason);
    if (status == GDRQ_OK)
        status = gdrq_write_atomically(path, write_weights, &w, &reason);
    if (status != GDRQ_OK)
        return gdrq_fail(err, status, "%.500s: not saved: %.500s", path, reason.message);
    return GDRQ_OK;
}
