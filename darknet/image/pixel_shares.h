/* How much of a picture each class of pixels has. */
#ifndef DARKNET_IMAGE_PIXEL_SHARES_H
#define DARKNET_IMAGE_PIXEL_SHARES_H

#include <stddef.h>

typedef struct pixel_shares {
    size_t of_class[256]; /* pixels */
    size_t pixels;
} pixel_shares;

/* Of n pixels, from their classes. Threaded; allocates nothing. */
pixel_shares pixel_shares_of(const unsigned char *classes, size_t n);

double pixel_share(const pixel_shares *shares, int class_id);

#endif
