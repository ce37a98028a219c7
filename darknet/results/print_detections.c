#include "results/print_detections.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_score(const detection *d, int class_id, const char *name, const picture *p) {
    printf("%s: %.0f%%", name, d->prob[class_id] * 100);
    if (p)
        printf("\t(left_x: %4.0f   top_y: %4.0f   width: %4.0f   height: %4.0f)",
               (d->bbox.x - d->bbox.w / 2) * p->w, (d->bbox.y - d->bbox.h / 2) * p->h,
               d->bbox.w * p->w, d->bbox.h * p->h);
    putchar('\n');
}

void detections_print(const detections *found, const class_names *names, int classes, float thresh,
                      const picture *p) {
    for (int i = 0; i < found->n; i++) {
        const detection *d = &found->at[i];
        for (int k = 0; k < classes && detection_is_finite(d); k++)
            if (d->prob[k] > thresh)
                print_score(d, k, names->names[k], p);
    }
}

/* The names of all classes above the threshold, "dog, wolf"; *best is the likeliest, or -1. */
static gdrq_status make_label(const detection *d, const class_names *names, int classes,
                              float thresh, char **text, int *best, gdrq_error *err) {
    size_t size = 1;
    *best = -1;
    for (int i = 0; i < classes; i++)
        if (d->prob[i] > thresh) {
            size += strlen(names->names[i]) + 2;
            if (*best < 0 || d->prob[i] > d->prob[*best])
                *best = i;
        }
    char *end = *text = gdrq_alloc(size, 1);
    if (!end)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a label");
    for (int i = 0; i < classes; i++)
        if (d->prob[i] > thresh)
            end += sprintf(end, "%s%s", end > *text ? ", " : "", names->names[i]);
    return GDRQ_OK;
}

static gdrq_status draw(const detection *d, const class_names *names, int classes, float thresh,
                        picture *p, gdrq_error *err) {
    char *label;
    int best;
    gdrq_status status = make_label(d, names, classes, thresh, &label, &best, err);
    const box b = d->bbox;
    if (status == GDRQ_OK && best >= 0)
        status = picture_draw_box(p, (b.x - b.w / 2) * p->w, (b.y - b.h / 2) * p->h,
                                  (b.x + b.w / 2) * p->w, (b.y + b.h / 2) * p->h, best, label, err);
    free(label);
    return status;
}

gdrq_status detections_draw(const detections *found, const class_names *names, int classes,
                            float thresh, picture *p, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < found->n && status == GDRQ_OK; i++)
        if (detection_is_finite(&found->at[i]))
            status = draw(&found->at[i], names, classes, thresh, p, err);
    return status;
}
