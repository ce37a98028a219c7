#include "train/segmentation_set.h"

/* Of the letterbox's border (gdrq_letterbox()). */
enum { GROUND = 128 };

/* The class at a point of the mask, in pixels; -1 for void. */
static float class_at(const index_picture *mask, double x, double y) {
    if (!(x >= 0 && y >= 0 && x < mask->w && y < mask->h))
        return -1;
    const int index = mask->at[(size_t)y * (size_t)mask->w + (size_t)x];
    return index == MASK_VOID ? -1 : (float)index;
}

/* What crop_picture() does to pixels, at the centres of the w x h cells of the truth. */
static void crop_mask(const crop_plan *plan, const index_picture *mask, int w, int h,
                      float *truth) {
    const picture_map *m = &plan->map;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const double across = (x + .5) * plan->net_w / w, v = (y + .5) * plan->net_h / h;
            const double u = plan->mirrored ? plan->net_w - across : across;
            truth[(size_t)y * (size_t)w + (size_t)x] =
                class_at(mask, m->xu * u + m->xv * v + m->x0, m->yu * u + m->yv * v + m->y0);
        }
}

gdrq_status segmentation_sample(const void *user, random_stream *random, int image,
                                const picture *p, const loader_sample *sample, gdrq_error *err) {
    const segmentation_set *set = user;
    index_picture mask;
    crop_plan plan = crop_draw(random, &set->augment, p->w, p->h, sample->w, sample->h);
    plan.ground = GROUND;
    gdrq_status status = mask_load(set->images.paths[image], p->w, p->h, &set->rules, &mask, err);
    if (status != GDRQ_OK)
        return status;
    status = crop_picture(&plan, p, sample->codes, err);
    crop_mask(&plan, &mask, set->w, set->h, sample->truth);
    index_picture_free(&mask);
    return status;
}
