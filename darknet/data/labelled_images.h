/* A list of images with their objects in memory. */
#ifndef DATA_LABELLED_IMAGES_H
#define DATA_LABELLED_IMAGES_H

#include "data/image_list.h"
#include "data/labels.h"

typedef struct labelled_images {
    image_list list;
    label_list *labels; /* of list.paths[i] */
} labelled_images;

/*
 * Reads a list and the label file of each of its images; every image must be a file with a good
 * label file. On failure *images is empty. Free with labelled_images_free().
 */
gdrq_status labelled_images_read(const char *list_path, int classes, labelled_images *images,
                                 gdrq_error *err);

/* All objects of all images. */
size_t labelled_images_objects(const labelled_images *images);

void labelled_images_free(labelled_images *images);

#endif
