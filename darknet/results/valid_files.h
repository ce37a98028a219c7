/*
 * The result files of `darknet detector valid`, in upstream's formats, for the evaluations of
 * PASCAL VOC, COCO and ImageNet. Everything is kept in memory until the end and written then: files
 * that are there are complete.
 */
#ifndef RESULTS_VALID_FILES_H
#define RESULTS_VALID_FILES_H

#include "detect.h"
#include "gdrq.h"

typedef enum valid_format {
    /* FOLDER/OUT + class name + ".txt" per class, lines "ID score left top right bottom" in pixels
     * that count from 1; ID is valid_voc_id() */
    VALID_VOC,
    /* FOLDER/OUT.json, COCO's results with its 80 categories' numbers; an image's is
     * valid_coco_id() */
    VALID_COCO,
    /* FOLDER/OUT.txt, lines "image class score left top right bottom", both counted from 1 */
    VALID_IMAGENET,
} valid_format;

typedef struct valid_spec {
    valid_format format;
    const char *folder;
    const char *out;    /* NULL: upstream's name of the format */
    char *const *names; /* of the classes */
    int classes;        /* of scores to write */
} valid_spec;

typedef struct valid_files valid_files;

/* The format of a data file's eval=; NULL stands for upstream's default, voc. */
gdrq_status valid_format_find(const char *eval, valid_format *format, gdrq_error *err);

/*
 * Checks that the classes fit the format, makes the folder if missing and tries whether it can be
 * written. `spec` is copied, what it points to is borrowed. On failure *files is NULL.
 */
gdrq_status valid_files_open(const valid_spec *spec, valid_files **files, gdrq_error *err);

/* The detections of an image, which is w x h pixels large. */
gdrq_status valid_files_add(valid_files *files, const char *image, const detections *found, int w,
                            int h, gdrq_error *err);

/* Writes all files. Afterwards only valid_files_free() is left to call. */
gdrq_status valid_files_save(valid_files *files, gdrq_error *err);

/* How many files there are, and their paths. */
int valid_files_count(const valid_files *files);
const char *const *valid_files_paths(const valid_files *files);

void valid_files_free(valid_files *files);

#endif
