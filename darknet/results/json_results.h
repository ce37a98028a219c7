/*
 * Detections of many images in one JSON file, in the form of AlexeyAB's result.json: an array with
 * an object per image (frame_id from 1, filename, objects), and in it per class of a box class_id,
 * name, relative_coordinates and confidence.
 */
#ifndef RESULTS_JSON_RESULTS_H
#define RESULTS_JSON_RESULTS_H

#include "detect.h"
#include "gdrq.h"
#include "results/memory_file.h"

typedef struct json_results {
    memory_file file;
    char *const *names;
    int classes, images;
    float thresh;
} json_results;

/* names are borrowed; scores above thresh are written. Free with json_results_free(). */
gdrq_status json_results_open(json_results *results, char *const *names, int classes, float thresh,
                              gdrq_error *err);

void json_results_add(json_results *results, const char *image, const detections *found);

/* Ends and writes the file, complete or not at all. */
gdrq_status json_results_save(json_results *results, const char *path, gdrq_error *err);

void json_results_free(json_results *results);

#endif
