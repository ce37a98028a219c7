#include "data/masked_images.h"

#include "base/status.h"

#include <stdlib.h>

gdrq_status masked_image_load(const char *image, const mask_rules *rules, picture *p,
                              index_picture *mask, gdrq_error *err) {
    *mask = (index_picture){0};
    gdrq_status status = picture_load(image, p, err);
    if (status == GDRQ_OK)
        status = mask_load(image, p->w, p->h, rules, mask, err);
    if (status != GDRQ_OK)
        picture_free(p);
    return status;
}

static mask_census count(const char *image, const index_picture *mask) {
    mask_census c = {.pixels = pixel_shares_of(mask->at, (size_t)mask->w * (size_t)mask->h)};
    char *path = NULL;
    bool is_png = false;
    gdrq_error ignored;
    if (c.pixels.of_class[MASK_VOID] && mask_path(image, &path, &is_png, &ignored) == GDRQ_OK)
        c.numbered_void = is_png;
    free(path);
    return c;
}

static gdrq_status check_image(const char *image, const mask_rules *rules, mask_census *census,
                               gdrq_error *err) {
    picture p;
    index_picture mask;
    const gdrq_status status = masked_image_load(image, rules, &p, &mask, err);
    if (status == GDRQ_OK)
        *census = count(image, &mask);
    picture_free(&p);
    index_picture_free(&mask);
    return status;
}

static void add_census(mask_census *sum, const mask_census *c) {
    for (int k = 0; k <= MASK_VOID; k++)
        sum->pixels.of_class[k] += c->pixels.of_class[k];
    sum->pixels.pixels += c->pixels.pixels;
    sum->numbered_void |= c->numbered_void;
}

static gdrq_status check_all(const image_list *list, const mask_rules *rules, mask_census *census,
                             gdrq_error *err) {
    gdrq_status first = GDRQ_OK;
    gdrq_error problem = {0};
    int at = list->n, bad = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < list->n; i++) {
        gdrq_error of_image;
        mask_census c;
        const gdrq_status status = check_image(list->paths[i], rules, &c, &of_image);
#pragma omp critical
        if (status == GDRQ_OK) {
            add_census(census, &c);
        } else {
            bad++;
            if (i < at) {
                at = i;
                first = status;
                problem = of_image;
            }
        }
    }
    return image_list_verdict(list, bad, first, &problem, err);
}

gdrq_status masked_images_read(const char *list_path, const mask_rules *rules, image_list *list,
                               mask_census *census, gdrq_error *err) {
    *census = (mask_census){0};
    gdrq_status status = image_list_read(list_path, list, err);
    if (status == GDRQ_OK)
        status = check_all(list, rules, census, err);
    if (status != GDRQ_OK)
        image_list_free(list);
    return status;
}
