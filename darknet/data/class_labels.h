/*
 * The class of an image by its path: upstream's classifiers have no label files; the class is the
 * one whose label, a line of the labels= file, occurs in the path, as in train/cat/1.jpg or
 * 1_cat.png.
 */
#ifndef DATA_CLASS_LABELS_H
#define DATA_CLASS_LABELS_H

#include "data/image_list.h"
#include "data/names.h"

typedef struct class_labels {
    class_names names; /* names.names[i] for class i */
    int n;             /* classes; further names do not count */
    const char *path;  /* for messages; borrowed */
} class_labels;

/* On failure *labels is empty. Free with class_labels_free(). */
gdrq_status class_labels_read(const char *path, int classes, class_labels *labels, gdrq_error *err);

void class_labels_free(class_labels *labels);

enum { CLASS_NONE = -1, CLASS_SEVERAL = -2 };

/*
 * Where several labels occur, the one that is the whole name of a folder of the path counts:
 * "cat" in cattle/cat/1.jpg, and "cattle", which has a cat in it, in cattle/1.jpg. Two such ones
 * are CLASS_SEVERAL. (Upstream trains on all labels that occur and measures with the first one.)
 */
int class_of_path(const class_labels *labels, const char *path);

typedef struct classified_images {
    image_list list;
    int *class_ids; /* of list.paths[i] */
} classified_images;

/*
 * Reads a list. Every image must be a file with one class; else the message has the first problem
 * and the number of further images that have one. On failure *images is empty. Free with
 * classified_images_free().
 */
gdrq_status classified_images_read(const char *list_path, const class_labels *labels,
                                   classified_images *images, gdrq_error *err);

void classified_images_free(classified_images *images);

#endif
