/* The structures of a folded network's file, byte for byte as FORMAT.md describes them. */
#ifndef GDRQ_MODEL_LAYOUT_H
#define GDRQ_MODEL_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define GDRQ_FOLDED_MAGIC "GDRQFLD1"

enum {
    GDRQ_FOLDED_VERSION = 1,
    GDRQ_FOLDED_ALIGNMENT = 64, /* of everything behind the header, in bytes */
};

typedef struct gdrq_file_header {
    char magic[8];
    uint32_t version;
    uint32_t checksum; /* CRC-32 of the whole file with 0 in this place */
    uint64_t size;     /* of the file */
    uint64_t cfg_hash;
    int32_t n_classes, n_layers;
    uint64_t class_table, layer_table; /* offsets */
    uint64_t reserved;                 /* 0 */
} gdrq_file_header;

typedef struct gdrq_file_class {
    int32_t tensor, bits, range, zero;
    float step, inv_step;
    uint64_t reserved; /* 0 */
} gdrq_file_class;

enum { GDRQ_FILE_FOLDED = 1, GDRQ_FILE_FLOATS = 2 }; /* kinds of layers */

typedef struct gdrq_file_layer {
    int32_t index, kind;
    int32_t input, filters, filter_size, weight_bits; /* 0 in layers of floats */
    uint64_t data, data_size; /* offset and bytes of the packed weights, or of the floats */
    uint64_t scale, bias;     /* offsets; 0 in layers of floats */
    uint64_t reserved;        /* 0 */
} gdrq_file_layer;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "folded networks are little-endian");
_Static_assert(sizeof(gdrq_file_header) == 64 && offsetof(gdrq_file_header, reserved) == 56,
               "as in FORMAT.md");
_Static_assert(sizeof(gdrq_file_class) == 32 && offsetof(gdrq_file_class, reserved) == 24,
               "as in FORMAT.md");
_Static_assert(sizeof(gdrq_file_layer) == 64 && offsetof(gdrq_file_layer, reserved) == 56,
               "as in FORMAT.md");

/* Where the first array behind byte `end` begins. */
static inline uint64_t gdrq_folded_align(uint64_t end) {
    return (end + GDRQ_FOLDED_ALIGNMENT - 1) / GDRQ_FOLDED_ALIGNMENT * GDRQ_FOLDED_ALIGNMENT;
}

#endif
