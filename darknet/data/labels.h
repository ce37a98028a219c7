/*
 * The objects of an image, from its label file: lines "class x y w h", box centre and size relative
 * to the image's.
 */
#ifndef DATA_LABELS_H
#define DATA_LABELS_H

#include "data/image_list.h"
#include "gdrq.h"

typedef struct label {
    int class_id;
    float x, y, w, h; /* centre in 0..1, size in (0, 1] */
} label;

typedef struct label_list {
    label *labels;
    int n;
} label_list;

/*
 * The label file's path by the host's rule: of "images", "JPEGImages" and "raw" the first
 * occurrence anywhere in the path becomes "labels", one after the other, and the extension of an
 * image (.jpg, .jpeg, .png, .bmp, ... in any case) becomes .txt. *path is allocated; free() it.
 * Another extension is an error.
 */
gdrq_status label_path(const char *image, char **path, gdrq_error *err);

/*
 * Reads a label file. Every line must be one object: class in 0..classes-1, finite numbers, centre
 * in 0..1, size in (0, 1]; values over by at most 0.001 are clamped, since writers round. An empty
 * file means an image without objects. Messages name file, line, what is wrong and what is allowed.
 * On failure *list is empty. Free with labels_free().
 */
gdrq_status labels_read(const char *path, int classes, label_list *list, gdrq_error *err);

/* The same for an image; if the label file is missing, the message names both. */
gdrq_status labels_read_for(const char *image, int classes, label_list *list, gdrq_error *err);

void labels_free(label_list *list);

/* Called now and then, and at the end with done = total. */
typedef void labels_progress(void *user, int done, int total);

/*
 * Checks that every image of the list is a file and has a good label file. On failure the message
 * is the first problem's, with the number of further images that have one. `progress` may be NULL.
 */
gdrq_status labels_check_all(const image_list *list, int classes, labels_progress *progress,
                             void *user, gdrq_error *err);

#endif
