#include "model/folded.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/check.h"
#include "model/layout.h"
#include "quant/pack.h"

/* A file in memory, of which everything before `end` has been accounted for. */
typedef struct input {
    const char *path;
    const uint8_t *bytes;
    uint64_t n, end;
} input;

/* "FILE: layer 3: WHAT: the file is damaged ...", without the layer if it is -1. */
static gdrq_status fail_place(const input *in, int layer, const char *what, const char *problem,
                              gdrq_error *err) {
    char owner[32] = "";
    if (layer >= 0)
        snprintf(owner, sizeof owner, "layer %d: ", layer);
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %s%s %s: the file is damaged, fold again",
                     in->path, owner, what, problem);
}

/*
 * Takes the array that the file puts at `offset`. A file has one order and no gaps but for
 * alignment, so that an array can only be where the last one ends: this leaves no room for
 * overlaps, and no byte whose meaning is unchecked. `what` names it; layer -1: a table.
 */
static gdrq_status take(input *in, int layer, const char *what, uint64_t offset, uint64_t size,
                        const void **array, gdrq_error *err) {
    const uint64_t expected = gdrq_folded_align(in->end);
    if (offset != expected)
        return fail_place(in, layer, what, "does not begin where it should", err);
    if (offset > in->n || size > in->n - offset)
        return fail_place(in, layer, what, "reaches beyond the file's end", err);
    for (uint64_t i = in->end; i < offset; ++i)
        if (in->bytes[i] != 0)
            return fail_place(in, layer, what, "follows bytes that are not 0", err);
    *array = in->bytes + offset;
    in->end = offset + size;
    return GDRQ_OK;
}

static uint32_t checksum_of(const input *in) {
    const uint32_t zero = 0;
    const size_t at = offsetof(gdrq_file_header, checksum), behind = at + sizeof zero;
    uLong sum = crc32_z(0, in->bytes, at);
    sum = crc32_z(sum, (const Bytef *)&zero, sizeof zero);
    return (uint32_t)crc32_z(sum, in->bytes + behind, (size_t)in->n - behind);
}

static bool has_magic(const void *bytes, size_t n) {
    const size_t length = strlen(GDRQ_FOLDED_MAGIC);
    return n >= length && memcmp(bytes, GDRQ_FOLDED_MAGIC, length) == 0;
}

/* Nothing of a file of another version is looked at but its version. */
static gdrq_status check_header(const input *in, const gdrq_file_header *header, gdrq_error *err) {
    if (header->version != GDRQ_FOLDED_VERSION)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: version %u of the format; this program reads version %d: %s",
                         in->path, header->version, GDRQ_FOLDED_VERSION,
                         header->version > GDRQ_FOLDED_VERSION ? "use a newer one, or fold again"
                                                               : "fold again");
    if (header->size != in->n)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: file size %llu instead of %llu bytes: the file is damaged, copy it "
                         "again",
                         in->path, (unsigned long long)in->n, (unsigned long long)header->size);
    if (header->checksum != checksum_of(in))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: the checksum does not fit: the file is damaged, copy or fold it "
                         "again",
                         in->path);
    if (header->reserved != 0)
        return fail_place(in, -1, "reserved bytes of the header", "are not 0", err);
    return GDRQ_OK;
}

static gdrq_status read_header(input *in, gdrq_file_header *header, gdrq_error *err) {
    if (!has_magic(in->bytes, (size_t)in->n))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: magic is not %s: no folded network, write one with fold", in->path,
                         GDRQ_FOLDED_MAGIC);
    if (in->n < sizeof *header)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: file size %llu is less than the header's %zu bytes: the file is "
                         "damaged, copy it again",
                         in->path, (unsigned long long)in->n, sizeof *header);
    memcpy(header, in->bytes, sizeof *header);
    in->end = sizeof *header;
    return check_header(in, header, err);
}

static gdrq_folded_class decode_class(const gdrq_file_class *entry) {
    const gdrq_range range = (gdrq_range)entry->range;
    gdrq_folded_class class = {.tensor = entry->tensor,
                               .bits = entry->bits,
                               .range = range,
                               .grid = gdrq_folded_grid(entry->bits, range)};
    class.grid.zero = entry->zero;
    class.grid.step = entry->step;
    class.grid.inv_step = entry->inv_step;
    return class;
}

static gdrq_status read_classes(const input *in, const gdrq_file_class *entries, gdrq_folded *f,
                                gdrq_error *err) {
    const gdrq_folded_checker c = {in->path, GDRQ_ERROR_FORMAT, f};
    f->classes = gdrq_alloc((size_t)f->n_classes, sizeof *f->classes);
    if (!f->classes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", in->path);
    for (int i = 0; i < f->n_classes; ++i) {
        f->classes[i] = decode_class(&entries[i]);
        if (entries[i].reserved != 0)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: class %d: reserved bytes are not 0",
                             in->path, i);
    }
    return gdrq_folded_check_classes(&c, err);
}

/* What the entry says of the layer itself, arrays aside. */
static gdrq_status decode_fields(const input *in, const gdrq_file_layer *entry,
                                 gdrq_folded_layer *l, gdrq_error *err) {
    *l = (gdrq_folded_layer){.index = entry->index};
    if (entry->reserved != 0)
        return fail_place(in, entry->index, "reserved bytes", "are not 0", err);
    if (entry->kind == GDRQ_FILE_FLOATS) {
        if (entry->input || entry->filters || entry->filter_size || entry->weight_bits ||
            entry->scale || entry->bias)
            return fail_place(in, entry->index, "fields of a folded layer", "are not 0", err);
        if (entry->data_size % sizeof(float) != 0 || entry->data_size > in->n)
            return fail_place(in, entry->index, "size of the floats", "is wrong", err);
        l->n_floats = (size_t)entry->data_size / sizeof(float);
        return GDRQ_OK;
    }
    if (entry->kind != GDRQ_FILE_FOLDED)
        return fail_place(in, entry->index, "kind", "is not 1 or 2", err);
    if (entry->weight_bits == 0)
        return fail_place(in, entry->index, "weight bits", "are 0", err);
    l->input = entry->input;
    l->filters = entry->filters;
    l->filter_size = entry->filter_size < 0 ? 0 : (size_t)entry->filter_size;
    l->weight_bits = entry->weight_bits;
    return GDRQ_OK;
}

/* Of a layer whose fields are good: filters and filter size fit 31 bits, so nothing overflows. */
static gdrq_status take_arrays(input *in, const gdrq_file_layer *entry, gdrq_folded_layer *l,
                               gdrq_error *err) {
    const void *array;
    gdrq_status status;
    if (l->weight_bits == 0) {
        status = take(in, l->index, "floats", entry->data, entry->data_size, &array, err);
        l->floats = array;
        return status;
    }
    const uint64_t filters = (uint64_t)l->filters;
    if (entry->data_size != filters * gdrq_packed_size(l->filter_size, l->weight_bits))
        return fail_place(in, l->index, "size of the packed weights",
                          "is not that of filters, filter size and weight bits", err);
    status =
        take(in, l->index, "array of packed weights", entry->data, entry->data_size, &array, err);
    if (status != GDRQ_OK)
        return status;
    l->weights = array;
    status =
        take(in, l->index, "array of scales", entry->scale, filters * sizeof(float), &array, err);
    if (status != GDRQ_OK)
        return status;
    l->scale = array;
    status =
        take(in, l->index, "array of biases", entry->bias, filters * sizeof(float), &array, err);
    l->bias = status == GDRQ_OK ? array : NULL;
    return status;
}

static gdrq_status read_layers(input *in, const gdrq_file_layer *entries, gdrq_folded *f,
                               gdrq_error *err) {
    const gdrq_folded_checker c = {in->path, GDRQ_ERROR_FORMAT, f};
    f->layers = gdrq_alloc((size_t)f->n_layers, sizeof *f->layers);
    if (!f->layers)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", in->path);
    gdrq_status status = GDRQ_OK;
    for (int i = 0; status == GDRQ_OK && i < f->n_layers; ++i) {
        status = decode_fields(in, &entries[i], &f->layers[i], err);
        if (status == GDRQ_OK)
            status = gdrq_folded_check_fields(&c, i, err);
        if (status == GDRQ_OK)
            status = take_arrays(in, &entries[i], &f->layers[i], err);
        if (status == GDRQ_OK)
            status = gdrq_folded_check_arrays(&c, i, err);
    }
    return status;
}

/* The tables lie in the file before anything is allocated for them: that bounds the allocation. */
static gdrq_status read_contents(input *in, gdrq_folded *f, gdrq_error *err) {
    const gdrq_folded_checker c = {in->path, GDRQ_ERROR_FORMAT, f};
    gdrq_file_header header;
    const void *classes = NULL, *layers = NULL;
    gdrq_status status = read_header(in, &header, err);
    if (status != GDRQ_OK)
        return status;
    f->cfg_hash = header.cfg_hash;
    f->n_classes = header.n_classes;
    f->n_layers = header.n_layers;
    status = gdrq_folded_check_counts(&c, err);
    if (status == GDRQ_OK)
        status = take(in, -1, "class table", header.class_table,
                      (uint64_t)f->n_classes * sizeof(gdrq_file_class), &classes, err);
    if (status == GDRQ_OK)
        status = take(in, -1, "layer table", header.layer_table,
                      (uint64_t)f->n_layers * sizeof(gdrq_file_layer), &layers, err);
    if (status == GDRQ_OK)
        status = read_classes(in, classes, f, err);
    if (status == GDRQ_OK)
        status = read_layers(in, layers, f, err);
    if (status == GDRQ_OK && in->end != in->n)
        status = fail_place(in, -1, "file", "goes on behind its last array", err);
    return status;
}

gdrq_status gdrq_folded_parse(const char *path, const void *bytes, size_t n, gdrq_folded *folded,
                              gdrq_error *err) {
    input in = {.path = path, .bytes = bytes, .n = n};
    *folded = (gdrq_folded){0};
    const gdrq_status status = read_contents(&in, folded, err);
    if (status != GDRQ_OK)
        gdrq_folded_close(folded);
    return status;
}

static gdrq_status map_file(const char *path, int fd, void **map, size_t *n, gdrq_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read", path);
    if (!S_ISREG(st.st_mode))
        return gdrq_fail(err, GDRQ_ERROR_IO, "%s: is no regular file", path);
    if ((uint64_t)st.st_size < sizeof(gdrq_file_header) || (uint64_t)st.st_size > PTRDIFF_MAX)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: a file size of %lld bytes is not that of a folded network", path,
                         (long long)st.st_size);
    *n = (size_t)st.st_size;
    *map = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0);
    return *map != MAP_FAILED ? GDRQ_OK
                              : gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't map", path);
}

/* Opening a pipe that nobody writes to must not wait forever. */
static int open_file(const char *path) {
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

gdrq_status gdrq_folded_read(const char *path, gdrq_folded *folded, gdrq_error *err) {
    void *map = NULL;
    size_t n = 0;
    *folded = (gdrq_folded){0};
    const int fd = open_file(path);
    if (fd < 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open", path);
    gdrq_status status = map_file(path, fd, &map, &n, err);
    close(fd);
    if (status != GDRQ_OK)
        return status;
    status = gdrq_folded_parse(path, map, n, folded, err);
    if (status != GDRQ_OK) {
        munmap(map, n);
        return status;
    }
    folded->map = map;
    folded->map_size = n;
    return GDRQ_OK;
}

bool gdrq_folded_is(const char *path) {
    char magic[8];
    const int fd = open_file(path);
    if (fd < 0)
        return false;
    const ssize_t got = read(fd, magic, sizeof magic);
    close(fd);
    return got > 0 && has_magic(magic, (size_t)got);
}

void gdrq_folded_close(gdrq_folded *folded) {
    free(folded->classes);
    free(folded->layers);
    if (folded->map)
        munmap(folded->map, folded->map_size);
    *folded = (gdrq_folded){0};
}
