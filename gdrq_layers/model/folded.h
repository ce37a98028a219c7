/*
 * A folded network's numbers: what gdrq_fold() computes, the writer puts into a file and the reader
 * finds in one (FORMAT.md). Everything that a cfg says (shapes, activations, bits) stays in the
 * cfg.
 *
 * A folded layer computes, with q_w the weights' codes and q_x the input's relative to the zero
 * code, y = activation(scale[f] * sum(q_w * q_x) + bias[f]), all in float32 and in this order,
 * which is what the training graph computes at inference.
 */
#ifndef GDRQ_MODEL_FOLDED_H
#define GDRQ_MODEL_FOLDED_H

#include "gdrq.h"
#include "quant/grid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The grid of a tensor class (host/tensor_class.h). */
typedef struct gdrq_folded_class {
    int tensor; /* index of the first layer whose output belongs to it; -1: the network's input */
    int bits;
    gdrq_range range; /* never AUTO */
    gdrq_grid grid; /* step and inv_step from the file; min, max and zero follow from bits, range */
} gdrq_folded_class;

/* What the file holds of one layer: a folded one, or a stock one's floats. */
typedef struct gdrq_folded_layer {
    int index; /* of the layer in the network */

    /* Folded layers only. */
    int input;          /* index into classes: the grid of its input */
    int filters;        /* or outputs of a connected layer */
    int weight_bits;    /* 2..8; 0: a stock layer */
    size_t filter_size; /* weights of one filter */
    const uint8_t
        *weights; /* packed, gdrq_packed_size(filter_size, weight_bits) bytes per filter */
    const float *scale, *bias; /* filters */

    /* Stock layers only: as in a .weights file, one array after the other. */
    const float *floats;
    size_t n_floats; /* at least 1 */
} gdrq_folded_layer;

typedef struct gdrq_folded {
    uint64_t cfg_hash; /* of the structure that the numbers belong to, see gdrq_outline_hash() */
    gdrq_folded_class *classes;
    int n_classes;
    gdrq_folded_layer *layers; /* with weights of their own, by rising index */
    int n_layers;

    /* Of a network that was read: the mapped file, which the arrays above lead into. */
    void *map;
    size_t map_size;
} gdrq_folded;

/*
 * Writes the file; complete or not at all. Arrays are borrowed. The same numbers give the same
 * bytes. Refuses (GDRQ_ERROR_STATE) what gdrq_folded_read() would refuse.
 */
gdrq_status gdrq_folded_write(const char *path, const gdrq_folded *folded, gdrq_error *err);

/* What gdrq_folded_write() writes, as a gdrq_write_fn; path is used in messages only. */
typedef struct gdrq_folded_output {
    const char *path;
    const gdrq_folded *folded;
} gdrq_folded_output;
gdrq_status gdrq_folded_write_to(void *output, int fd, gdrq_error *err);

/* Whether the file begins as a folded network does; false too if it can't be read. */
bool gdrq_folded_is(const char *path);

/*
 * Maps a file read-only and checks all of it: sizes and offsets before they are used, the checksum,
 * and that every number is finite and in its range. Whether it fits a network is the caller's to
 * check, beginning with cfg_hash. Errors name the file and the field. On failure *folded is empty.
 *
 * A program that shortens or overwrites the file in place while it is mapped breaks this: reading
 * what is no longer there ends the process with SIGBUS. gdrq_folded_write() never does so, since it
 * puts a new file into the place of the old.
 */
gdrq_status gdrq_folded_read(const char *path, gdrq_folded *folded, gdrq_error *err);

/*
 * The same from n bytes at an address that is a multiple of 64. They stay the caller's and must
 * outlive *folded; `path` is used in messages only.
 */
gdrq_status gdrq_folded_parse(const char *path, const void *bytes, size_t n, gdrq_folded *folded,
                              gdrq_error *err);

/* Unmaps and frees what reading allocated; an empty or zeroed one is left as it is. */
void gdrq_folded_close(gdrq_folded *folded);

#endif
