/* The reader of folded networks: what it accepts can be read from the first to the last element. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/folded_checksum.h"
#include "fuzz.h"
#include "model/folded.h"
#include "quant/pack.h"

static void check(int ok) {
    if (!ok)
        abort();
}

static void read_floats(const float *x, size_t n) {
    for (size_t i = 0; i < n; ++i)
        check(isfinite(x[i]));
}

static void read_weights(const gdrq_folded_layer *l) {
    const int top = (1 << (l->weight_bits - 1)) - 1;
    const size_t size = gdrq_packed_size(l->filter_size, l->weight_bits);
    int8_t *codes = malloc(l->filter_size);
    check(codes != NULL);
    for (int f = 0; f < l->filters; ++f) {
        gdrq_unpack(l->weights + (size_t)f * size, l->filter_size, l->weight_bits, codes);
        for (size_t i = 0; i < l->filter_size; ++i)
            check(codes[i] >= -top && codes[i] <= top);
    }
    free(codes);
}

static void read_layer(const gdrq_folded *f, const gdrq_folded_layer *l) {
    if (l->weight_bits == 0) {
        read_floats(l->floats, l->n_floats);
        return;
    }
    check(l->input >= 0 && l->input < f->n_classes);
    read_weights(l);
    read_floats(l->scale, (size_t)l->filters);
    read_floats(l->bias, (size_t)l->filters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gdrq_folded f;
    gdrq_error err;
    void *aligned;
    check(posix_memalign(&aligned, 64, size ? size : 1) == 0);
    memcpy(aligned, data, size);
    if (gdrq_folded_parse("input", aligned, size, &f, &err) == GDRQ_OK)
        for (int i = 0; i < f.n_layers; ++i)
            read_layer(&f, &f.layers[i]);
    gdrq_folded_close(&f);
    free(aligned);
    return 0;
}

/*
 * Without a checksum that fits nothing behind it would be reached: half of the inputs get one, most
 * of those the right size as well. Words of the tables are changed more often than the arrays.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
    enum { SIZE_AT = 16, TABLES = 512 };
    const uint64_t tables = size < TABLES ? size : TABLES;
    if (seed & 1) {
        const size_t before = LLVMFuzzerMutate(data, (size_t)tables, (size_t)tables);
        size = before < tables ? before : size;
    } else {
        size = LLVMFuzzerMutate(data, size, max);
    }
    if (seed & 2) {
        const uint64_t n = size;
        if (seed & 12 && size >= SIZE_AT + sizeof n)
            memcpy(data + SIZE_AT, &n, sizeof n);
        fix_checksum(data, size);
    }
    return size;
}
