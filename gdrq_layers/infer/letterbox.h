/*
 * The one resize of pictures (gdrq_letterbox()), to the codes that a folded network reads: three
 * interleaved channels, RGB.
 */
#ifndef GDRQ_INFER_LETTERBOX_H
#define GDRQ_INFER_LETTERBOX_H

#include <stdint.h>

#include "gdrq.h"

/* Where in the network's input the resized picture lies: at least one pixel each way. */
typedef struct gdrq_placement {
    int w, h;
    int x, y; /* of its first pixel */
} gdrq_placement;

/* For a picture of w x h; all sizes are positive. */
gdrq_placement gdrq_letterbox_place(int w, int h, int net_w, int net_h);

enum { GDRQ_LETTERBOX_BITS = 11 }; /* of weights */

/* What a pixel of a resized row is made of: two neighbours, whose weights add up to 2^BITS. */
typedef struct gdrq_column {
    int first;           /* byte offset of the left neighbour in a source row */
    int16_t left, right; /* the weights; right is 0 where there is no right neighbour */
} gdrq_column;

/* The columns for one pair of sizes, kept from picture to picture; zeroed: none yet. */
typedef struct gdrq_columns {
    int from, to; /* pixels */
    int room;
    gdrq_column *at;
} gdrq_columns;

void gdrq_columns_free(gdrq_columns *columns);

/*
 * Writes net_w * net_h * 3 codes. Allocates when *columns has no room for net_w yet, and no more
 * for pictures of other sizes.
 */
gdrq_status gdrq_letterbox_codes(const gdrq_pixels *in, int net_w, int net_h, gdrq_columns *columns,
                                 uint8_t *codes, gdrq_error *err);

/* A row of the resized picture, and the two of the source that it lies between. */
typedef struct gdrq_resize_row {
    const uint8_t *top, *bottom;
    int weight; /* of bottom, in 1/2^BITS */
    int bytes;  /* in a source row */
    gdrq_pixel_order order;
    const gdrq_column *columns;
    int n; /* pixels */
} gdrq_resize_row;

/*
 * Kernels: they write pixels 0..return value) as RGB to out, which has room for n, and may leave
 * the last ones to the portable function, which is given the first pixel that is left.
 */
int gdrq_resize_row_avx2(const gdrq_resize_row *row, uint8_t *out);

#endif
