/* What a network found in a frame; its memory is kept for the next frame. */
#ifndef DARKNET_DEMO_RESULT_H
#define DARKNET_DEMO_RESULT_H

#include "darknet.h"
#include "gdrq.h"
#include "image/pixel_shares.h"

#include <stdbool.h>

enum { DEMO_MOST_OBJECTS = 200 }; /* that most_objects can be */

typedef struct demo_result {
    float thresh;     /* that scores had to be above */
    int most_objects; /* of boxes with a class, that shall be told: the best; 0: all */
    /* Of detectors: boxes with a class above thresh. */
    detection *boxes;
    int n_boxes, boxes_room;
    float *scores; /* those of all boxes */
    size_t scores_room;
    /* Of classifiers: the likeliest classes. */
    int *classes;
    float *probabilities;
    int n_classes;
    /* Of segmenters: the class of each pixel of the frame. */
    unsigned char *pixels;
    size_t pixels_room;
    pixel_shares shares;
} demo_result;

/* Keeps those of n boxes that are finite and have a class above thresh. */
gdrq_status demo_result_keep_boxes(demo_result *r, const detection *found, int n, float thresh,
                                   gdrq_error *err);

/* Makes room for n of the likeliest classes. */
gdrq_status demo_result_size_classes(demo_result *r, int n, gdrq_error *err);

/* Makes room for the classes of n pixels. */
gdrq_status demo_result_size_pixels(demo_result *r, size_t n, gdrq_error *err);

/* Which scores are among the result's most_objects best: those above `least`, and the first `ties`
   of those that are `least`. */
typedef struct demo_cut {
    float least;
    int ties;
} demo_cut;

demo_cut demo_result_cut(const demo_result *r);
/* Asked for one score after the other. */
bool demo_cut_keeps(demo_cut *cut, float score);

void demo_result_free(demo_result *r);

#endif
