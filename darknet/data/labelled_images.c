#include "data/labelled_images.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdlib.h>

gdrq_status labelled_images_read(const char *list_path, int classes, labelled_images *images,
                                 gdrq_error *err) {
    *images = (labelled_images){0};
    gdrq_status status = image_list_read(list_path, &images->list, err);
    if (status == GDRQ_OK)
        status = labels_check_all(&images->list, classes, NULL, NULL, err);
    if (status == GDRQ_OK) {
        images->labels = gdrq_alloc((size_t)images->list.n, sizeof *images->labels);
        if (!images->labels)
            status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", list_path);
    }
    for (int i = 0; i < images->list.n && status == GDRQ_OK; i++)
        status = labels_read_for(images->list.paths[i], classes, &images->labels[i], err);
    if (status != GDRQ_OK)
        labelled_images_free(images);
    return status;
}

size_t labelled_images_objects(const labelled_images *images) {
    size_t n = 0;
    for (int i = 0; i < images->list.n; i++)
        n += (size_t)images->labels[i].n;
    return n;
}

void labelled_images_free(labelled_images *images) {
    for (int i = 0; images->labels && i < images->list.n; i++)
        labels_free(&images->labels[i]);
    free(images->labels);
    image_list_free(&images->list);
    *images = (labelled_images){0};
}
