/* Folded networks with random numbers, and files as bytes. */
#ifndef TESTS_FOLDED_SAMPLE_H
#define TESTS_FOLDED_SAMPLE_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "model/folded.h"
#include "quant/pack.h"
#include "random_data.h"

static inline gdrq_folded_class random_class(int tensor) {
    static const gdrq_range ranges[] = {GDRQ_RANGE_UNSIGNED, GDRQ_RANGE_SIGNED, GDRQ_RANGE_OFFSET};
    gdrq_folded_class class = {
        .tensor = tensor, .bits = random_int(2, 8), .range = ranges[random_int(0, 2)]};
    const float threshold = random_int(0, 5) ? (float)exp(40 * random_unit() - 20) : 0;
    class.grid = gdrq_activation_grid(class.bits, class.range, .1f, threshold);
    return class;
}

/* Packed random codes of all filters. */
static inline uint8_t *random_weights(int filters, size_t filter_size, int bits) {
    const int top = (1 << (bits - 1)) - 1;
    const size_t size = gdrq_packed_size(filter_size, bits);
    uint8_t *packed = malloc((size_t)filters * size);
    int8_t *codes = malloc(filter_size);
    for (int f = 0; f < filters; ++f) {
        for (size_t i = 0; i < filter_size; ++i)
            codes[i] = (int8_t)random_int(-top, top);
        gdrq_pack(codes, filter_size, bits, packed + (size_t)f * size);
    }
    free(codes);
    return packed;
}

static inline gdrq_folded_layer folded_layer(int index, int input, int filters, size_t filter_size,
                                             int bits) {
    return (gdrq_folded_layer){.index = index,
                               .input = input,
                               .filters = filters,
                               .weight_bits = bits,
                               .filter_size = filter_size,
                               .weights = random_weights(filters, filter_size, bits),
                               .scale = random_array((size_t)filters, .01f),
                               .bias = random_array((size_t)filters, 1)};
}

static inline gdrq_folded_layer floats_layer(int index, size_t n) {
    return (gdrq_folded_layer){.index = index, .floats = random_array(n, 1), .n_floats = n};
}

/* Classes of tensors -1, 1, 3, ...; layer i reads any class before it. */
static inline gdrq_folded random_folded(int n_classes, int n_layers) {
    gdrq_folded f = {.cfg_hash = random_bits(),
                     .classes = calloc((size_t)n_classes + 1, sizeof *f.classes),
                     .n_classes = n_classes,
                     .layers = calloc((size_t)n_layers + 1, sizeof *f.layers),
                     .n_layers = n_layers};
    for (int i = 0; i < n_classes; ++i)
        f.classes[i] = random_class(2 * i - 1);
    int index = 0;
    for (int i = 0; i < n_layers; ++i, index += random_int(1, 3)) {
        const int readable = (index + 2) / 2 < n_classes ? (index + 2) / 2 : n_classes;
        f.layers[i] = readable && random_int(0, 3)
                          ? folded_layer(index, random_int(0, readable - 1), random_int(1, 40),
                                         (size_t)random_int(1, 300), random_int(2, 8))
                          : floats_layer(index, (size_t)random_int(1, 500));
    }
    return f;
}

/* Of one that was made here, not read. */
static inline void free_folded(gdrq_folded *f) {
    for (int i = 0; i < f->n_layers; ++i) {
        free((void *)f->layers[i].weights);
        free((void *)f->layers[i].scale);
        free((void *)f->layers[i].bias);
        free((void *)f->layers[i].floats);
    }
    gdrq_folded_close(f);
}

/* A copy at an address that parsing accepts, with nothing behind its last byte. */
static inline uint8_t *aligned_copy(const void *bytes, size_t n) {
    void *copy = NULL;
    assert_int_equal(posix_memalign(&copy, 64, n ? n : 1), 0);
    memcpy(copy, bytes, n);
    return copy;
}

/* The content of a file; free() it. */
static inline uint8_t *read_bytes(const char *path, size_t *n) {
    struct stat st;
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *n = (size_t)st.st_size;
    uint8_t *bytes = malloc(*n + 1);
    assert_int_equal(read(fd, bytes, *n), (ssize_t)*n);
    close(fd);
    uint8_t *copy = aligned_copy(bytes, *n);
    free(bytes);
    return copy;
}

/* What gdrq_folded_write() writes; fails the test on an error. */
static inline uint8_t *bytes_of(const gdrq_folded *f, size_t *n) {
    char path[] = "/tmp/gdrq-test-XXXXXX";
    gdrq_error err = {""};
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    if (gdrq_folded_write(path, f, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    uint8_t *bytes = read_bytes(path, n);
    unlink(path);
    return bytes;
}

/* What was read against what was written. */
static inline void assert_same_class(const gdrq_folded_class *a, const gdrq_folded_class *b) {
    assert_int_equal(a->tensor, b->tensor);
    assert_int_equal(a->bits, b->bits);
    assert_int_equal(a->range, b->range);
    assert_memory_equal(&a->grid, &b->grid, sizeof a->grid);
}

static inline void assert_same_layer(const gdrq_folded_layer *a, const gdrq_folded_layer *b) {
    assert_int_equal(a->index, b->index);
    assert_int_equal(a->weight_bits, b->weight_bits);
    assert_int_equal(a->filters, b->filters);
    assert_int_equal(a->filter_size, b->filter_size);
    assert_int_equal(a->input, b->input);
    assert_int_equal(a->n_floats, b->n_floats);
    if (a->weight_bits == 0) {
        assert_int_equal((uintptr_t)a->floats % 64, 0);
        assert_memory_equal(a->floats, b->floats, a->n_floats * sizeof(float));
        return;
    }
    const size_t filters = (size_t)a->filters;
    assert_int_equal((uintptr_t)a->weights % 64, 0);
    assert_int_equal((uintptr_t)a->scale % 64, 0);
    assert_int_equal((uintptr_t)a->bias % 64, 0);
    assert_memory_equal(a->weights, b->weights,
                        filters * gdrq_packed_size(a->filter_size, a->weight_bits));
    assert_memory_equal(a->scale, b->scale, filters * sizeof(float));
    assert_memory_equal(a->bias, b->bias, filters * sizeof(float));
}

static inline void assert_same(const gdrq_folded *read, const gdrq_folded *written) {
    assert_true(read->cfg_hash == written->cfg_hash);
    assert_int_equal(read->n_classes, written->n_classes);
    assert_int_equal(read->n_layers, written->n_layers);
    for (int i = 0; i < read->n_classes; ++i)
        assert_same_class(&read->classes[i], &written->classes[i]);
    for (int i = 0; i < read->n_layers; ++i)
        assert_same_layer(&read->layers[i], &written->layers[i]);
}

#endif
