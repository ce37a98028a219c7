#include "data/masked_images.h"

#include "base/status.h"

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

static gdrq_status check_image(const char *image, const mask_rules *rules, gdrq_error *err) {
    picture p;
    index_picture mask;
    const gdrq_status status = masked_image_load(image, rules, &p, &mask, err);
    picture_free(&p);
    index_picture_free(&mask);
    return status;
}

static gdrq_status check_all(const image_list *list, const mask_rules *rules, gdrq_error *err) {
    gdrq_status first = GDRQ_OK;
    gdrq_error problem = {0};
    int at = list->n, bad = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < list->n; i++) {
        gdrq_error of_image;
        const gdrq_status status = check_image(list->paths[i], rules, &of_image);
        if (status == GDRQ_OK)
            continue;
#pragma omp critical
        {
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
                               gdrq_error *err) {
    gdrq_status status = image_list_read(list_path, list, err);
    if (status == GDRQ_OK)
        status = check_all(list, rules, err);
    if (status != GDRQ_OK)
        image_list_free(list);
    return status;
}
