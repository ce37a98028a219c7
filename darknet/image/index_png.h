/*
 * PNG files whose pixels are numbers of classes: 8 bits or fewer, either indices into a palette or
 * grey values. Read with libpng, as other readers turn indices into colours.
 */
#ifndef DARKNET_IMAGE_INDEX_PNG_H
#define DARKNET_IMAGE_INDEX_PNG_H

#include "gdrq.h"

/* Rows without padding. A zeroed one is empty. */
typedef struct index_picture {
    unsigned char *at; /* w * h */
    int w, h;
} index_picture;

/* Colours of indices: red, green, blue. */
typedef struct palette {
    unsigned char rgb[256][3];
    int n; /* of them, 1..256 */
} palette;

/* On failure *p is empty; w, h: not 0. */
gdrq_status index_picture_make(int w, int h, index_picture *p, gdrq_error *err);

/*
 * Fails on what is no PNG, is damaged, or has colours, an alpha channel or 16 bits. *p is then
 * empty.
 */
gdrq_status index_png_load(const char *path, index_picture *p, gdrq_error *err);

/* 8-bit indices with the palette; complete or not at all. */
gdrq_status index_png_save(const index_picture *p, const palette *colours, const char *path,
                           gdrq_error *err);

void index_picture_free(index_picture *p);

#endif
