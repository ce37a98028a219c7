#include "demo/result.h"

#include "base/alloc.h"
#include "base/status.h"
#include "detect.h"

#include <stdlib.h>
#include <string.h>

static bool is_wanted(const detection *d, float thresh) {
    for (int k = 0; k < d->classes && detection_is_finite(d); k++)
        if (d->prob[k] > thresh)
            return true;
    return false;
}

/* At least twice as much as before: steady frames soon need no more. */
static gdrq_status grow(demo_result *r, int boxes, size_t scores, gdrq_error *err) {
    if (boxes > r->boxes_room) {
        free(r->boxes);
        r->boxes_room = boxes > 2 * r->boxes_room ? boxes : 2 * r->boxes_room;
        r->boxes = gdrq_alloc((size_t)r->boxes_room, sizeof *r->boxes);
    }
    if (scores > r->scores_room) {
        free(r->scores);
        r->scores_room = scores > 2 * r->scores_room ? scores : 2 * r->scores_room;
        r->scores = gdrq_alloc(r->scores_room, sizeof *r->scores);
    }
    if ((boxes == 0 || r->boxes) && (scores == 0 || r->scores))
        return GDRQ_OK;
    demo_result_free(r);
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d boxes", boxes);
}

gdrq_status demo_result_keep_boxes(demo_result *r, const detection *found, int n, float thresh,
                                   gdrq_error *err) {
    int wanted = 0;
    size_t scores = 0;
    for (int i = 0; i < n; i++)
        if (is_wanted(&found[i], thresh)) {
            wanted++;
            scores += (size_t)found[i].classes;
        }
    const gdrq_status status = grow(r, wanted, scores, err);
    if (status != GDRQ_OK)
        return status;
    float *to = r->scores;
    r->n_boxes = 0;
    r->thresh = thresh;
    for (int i = 0; i < n; i++) {
        if (!is_wanted(&found[i], thresh))
            continue;
        detection *kept = &r->boxes[r->n_boxes++];
        *kept = found[i];
        kept->prob = to;
        kept->mask = NULL;
        memcpy(to, found[i].prob, (size_t)found[i].classes * sizeof *to);
        to += found[i].classes;
    }
    return GDRQ_OK;
}

gdrq_status demo_result_size_classes(demo_result *r, int n, gdrq_error *err) {
    if (n <= r->n_classes)
        return GDRQ_OK;
    free(r->classes);
    free(r->probabilities);
    r->classes = gdrq_alloc((size_t)n, sizeof *r->classes);
    r->probabilities = gdrq_alloc((size_t)n, sizeof *r->probabilities);
    r->n_classes = n;
    if (r->classes && r->probabilities)
        return GDRQ_OK;
    demo_result_free(r);
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d classes", n);
}

gdrq_status demo_result_size_pixels(demo_result *r, size_t n, gdrq_error *err) {
    if (n <= r->pixels_room)
        return GDRQ_OK;
    free(r->pixels);
    r->pixels = gdrq_alloc(n, 1);
    r->pixels_room = n;
    if (r->pixels)
        return GDRQ_OK;
    demo_result_free(r);
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the classes of %zu pixels", n);
}

/* Sorted, the best in front; what there is no room for is left out. */
static void rank(float *best, int *n, int most, float score) {
    if (*n == most && !(score > best[most - 1]))
        return;
    int at = *n < most ? (*n)++ : most - 1;
    for (; at > 0 && best[at - 1] < score; at--)
        best[at] = best[at - 1];
    best[at] = score;
}

demo_cut demo_result_cut(const demo_result *r) {
    float best[DEMO_MOST_OBJECTS];
    const int most = r->most_objects < DEMO_MOST_OBJECTS ? r->most_objects : DEMO_MOST_OBJECTS;
    int n = 0;
    if (most == 0)
        return (demo_cut){.least = r->thresh};
    for (int i = 0; i < r->n_boxes; i++)
        for (int k = 0; k < r->boxes[i].classes; k++)
            if (r->boxes[i].prob[k] > r->thresh)
                rank(best, &n, most, r->boxes[i].prob[k]);
    if (n < most)
        return (demo_cut){.least = r->thresh};
    demo_cut cut = {.least = best[most - 1]};
    while (cut.ties < most && best[most - 1 - cut.ties] == cut.least)
        cut.ties++;
    return cut;
}

bool demo_cut_keeps(demo_cut *cut, float score) {
    return score > cut->least || (score == cut->least && cut->ties-- > 0);
}

void demo_result_free(demo_result *r) {
    free(r->boxes);
    free(r->scores);
    free(r->classes);
    free(r->probabilities);
    free(r->pixels);
    *r = (demo_result){0};
}
