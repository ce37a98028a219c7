#include "model/folded.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/write_all.h"
#include "model/check.h"
#include "model/layout.h"
#include "quant/pack.h"

/* The file but for its arrays. */
typedef struct plan {
    const gdrq_folded *folded;
    gdrq_file_header header;
    gdrq_file_class *classes;
    gdrq_file_layer *layers;
} plan;

/* Where the file's bytes go, in order: first into the checksum, then to the disk. */
typedef struct sink {
    int fd; /* -1: into the checksum */
    uLong checksum;
    uint64_t position;
} sink;

static bool put(sink *out, const void *bytes, size_t n) {
    out->position += n;
    if (out->fd >= 0)
        return gdrq_write_all(out->fd, bytes, n);
    out->checksum = crc32_z(out->checksum, bytes, n);
    return true;
}

/* As put(), at the next aligned position. */
static bool put_aligned(sink *out, const void *bytes, size_t n) {
    static const char zeros[GDRQ_FOLDED_ALIGNMENT];
    const size_t gap = (size_t)(gdrq_folded_align(out->position) - out->position);
    return put(out, zeros, gap) && put(out, bytes, n);
}

static bool put_layer(sink *out, const gdrq_folded_layer *l, const gdrq_file_layer *entry) {
    const size_t size = (size_t)entry->data_size, per_filter = (size_t)l->filters * sizeof(float);
    if (l->weight_bits == 0)
        return put_aligned(out, l->floats, size);
    return put_aligned(out, l->weights, size) && put_aligned(out, l->scale, per_filter) &&
           put_aligned(out, l->bias, per_filter);
}

static bool put_file(sink *out, const plan *p) {
    const gdrq_folded *f = p->folded;
    bool ok = put(out, &p->header, sizeof p->header) &&
              put_aligned(out, p->classes, (size_t)f->n_classes * sizeof *p->classes) &&
              put_aligned(out, p->layers, (size_t)f->n_layers * sizeof *p->layers);
    for (int i = 0; ok && i < f->n_layers; ++i)
        ok = put_layer(out, &f->layers[i], &p->layers[i]);
    return ok;
}

/* The offset of the next array, of `size` bytes; *end moves behind it. */
static uint64_t place(uint64_t *end, uint64_t size) {
    const uint64_t offset = gdrq_folded_align(*end);
    *end = offset + size;
    return offset;
}

static gdrq_file_class plan_class(const gdrq_folded_class *class) {
    return (gdrq_file_class){.tensor = class->tensor,
                             .bits = class->bits,
                             .range = (int32_t) class->range,
                             .zero = class->grid.zero,
                             .step = class->grid.step,
                             .inv_step = class->grid.inv_step};
}

static gdrq_file_layer plan_layer(const gdrq_folded_layer *l, uint64_t *end) {
    gdrq_file_layer entry = {.index = l->index, .kind = GDRQ_FILE_FLOATS};
    if (l->weight_bits == 0) {
        entry.data_size = l->n_floats * sizeof(float);
        entry.data = place(end, entry.data_size);
        return entry;
    }
    const uint64_t per_filter = (uint64_t)l->filters * sizeof(float);
    entry.kind = GDRQ_FILE_FOLDED;
    entry.input = l->input;
    entry.filters = l->filters;
    entry.filter_size = (int32_t)l->filter_size;
    entry.weight_bits = l->weight_bits;
    entry.data_size = (uint64_t)l->filters * gdrq_packed_size(l->filter_size, l->weight_bits);
    entry.data = place(end, entry.data_size);
    entry.scale = place(end, per_filter);
    entry.bias = place(end, per_filter);
    return entry;
}

/* Allocates the tables; free them also after an error. */
static gdrq_status make_plan(const char *path, const gdrq_folded *f, plan *p, gdrq_error *err) {
    const size_t n_classes = (size_t)f->n_classes, n_layers = (size_t)f->n_layers;
    uint64_t end = sizeof p->header;
    p->classes = gdrq_alloc(n_classes, sizeof *p->classes);
    p->layers = gdrq_alloc(n_layers, sizeof *p->layers);
    if (!p->classes || !p->layers)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    p->header = (gdrq_file_header){.version = GDRQ_FOLDED_VERSION,
                                   .cfg_hash = f->cfg_hash,
                                   .n_classes = f->n_classes,
                                   .n_layers = f->n_layers};
    memcpy(p->header.magic, GDRQ_FOLDED_MAGIC, sizeof p->header.magic);
    p->header.class_table = place(&end, n_classes * sizeof *p->classes);
    p->header.layer_table = place(&end, n_layers * sizeof *p->layers);
    for (size_t i = 0; i < n_classes; ++i)
        p->classes[i] = plan_class(&f->classes[i]);
    for (size_t i = 0; i < n_layers; ++i)
        p->layers[i] = plan_layer(&f->layers[i], &end);
    p->header.size = end;
    return GDRQ_OK;
}

static gdrq_status check(const char *path, const gdrq_folded *f, gdrq_error *err) {
    const gdrq_folded_checker c = {path, GDRQ_ERROR_STATE, f};
    gdrq_status status = gdrq_folded_check_counts(&c, err);
    if (status == GDRQ_OK)
        status = gdrq_folded_check_classes(&c, err);
    for (int i = 0; status == GDRQ_OK && i < f->n_layers; ++i) {
        status = gdrq_folded_check_fields(&c, i, err);
        if (status == GDRQ_OK)
            status = gdrq_folded_check_arrays(&c, i, err);
    }
    return status;
}

static gdrq_status write_plan(const char *path, plan *p, int fd, gdrq_error *err) {
    sink checksum = {.fd = -1}, out = {.fd = fd};
    put_file(&checksum, p);
    p->header.checksum = (uint32_t)checksum.checksum;
    return put_file(&out, p) ? GDRQ_OK
                             : gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", path);
}

gdrq_status gdrq_folded_write_to(void *user, int fd, gdrq_error *err) {
    const gdrq_folded_output *o = user;
    plan p = {.folded = o->folded};
    gdrq_status status = check(o->path, o->folded, err);
    if (status == GDRQ_OK)
        status = make_plan(o->path, o->folded, &p, err);
    if (status == GDRQ_OK)
        status = write_plan(o->path, &p, fd, err);
    free(p.classes);
    free(p.layers);
    return status;
}

gdrq_status gdrq_folded_write(const char *path, const gdrq_folded *folded, gdrq_error *err) {
    gdrq_folded_output output = {path, folded};
    return gdrq_write_atomically(path, gdrq_folded_write_to, &output, err);
}
