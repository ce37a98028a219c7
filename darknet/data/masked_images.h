/* A list of images that have masks (data/masks.h), all of them checked. */
#ifndef DATA_MASKED_IMAGES_H
#define DATA_MASKED_IMAGES_H

#include "data/image_list.h"
#include "data/masks.h"
#include "image/picture.h"
#include "image/pixel_shares.h"

/* What the masks of a list hold. */
typedef struct mask_census {
    pixel_shares pixels; /* of all masks together; void's are those of MASK_VOID */
    bool numbered_void;  /* a PNG has pixels with void's number */
} mask_census;

/*
 * Every image must be one that can be read, with a good mask of its size: all are decoded once, by
 * several threads. On failure the message is the first problem's, with the number of further images
 * that have one, and *list is empty. Free with image_list_free().
 */
gdrq_status masked_images_read(const char *list_path, const mask_rules *rules, image_list *list,
                               mask_census *census, gdrq_error *err);

/* An image and its mask, of the same size; on failure both are empty. */
gdrq_status masked_image_load(const char *image, const mask_rules *rules, picture *p,
                              index_picture *mask, gdrq_error *err);

#endif
