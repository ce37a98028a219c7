#include "train/detection_samples.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

static gdrq_status make_truth(const detection_samples *samples, int image, const augment_plan *plan,
                              random_stream *random, float *truth, gdrq_error *err) {
    const detection_boxes *all = &samples->boxes[image];
    augment_box *boxes = gdrq_alloc((size_t)all->n, sizeof *boxes);
    if (!boxes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d labels", all->n);
    if (all->n)
        memcpy(boxes, all->at, (size_t)all->n * sizeof *boxes);
    augment_boxes(plan, random, boxes, all->n, samples->max_boxes, truth);
    free(boxes);
    return GDRQ_OK;
}

gdrq_status detection_sample(const void *user, random_stream *random, int image, const picture *p,
                             const loader_sample *sample, gdrq_error *err) {
    const detection_samples *samples = user;
    const augment_plan plan =
        augment_draw(random, &samples->augment, p->w, p->h, sample->w, sample->h);
    const gdrq_status status = augment_picture(&plan, p, sample->codes, err);
    return status == GDRQ_OK ? make_truth(samples, image, &plan, random, sample->truth, err)
                             : status;
}
