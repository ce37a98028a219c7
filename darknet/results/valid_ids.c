#include "results/valid_ids.h"

#include "base/alloc.h"
#include "base/status.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *valid_voc_id(const char *image, int *length) {
    const char *name = file_name(image);
    *length = (int)strcspn(name, ".");
    return name;
}

gdrq_status valid_coco_id(const char *image, long *id, gdrq_error *err) {
    const char *name = file_name(image), *underscore = strrchr(name, '_');
    const char *digits = underscore ? underscore + 1 : name;
    errno = 0;
    *id = isdigit((unsigned char)*digits) ? strtol(digits, NULL, 10) : -1;
    if (*id >= 0 && *id <= INT_MAX && !errno)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%.800s: no COCO image number: the file name must be a number or end in '_' "
                     "and a number",
                     image);
}

typedef struct numbered {
    const char *path;
    long id;
} numbered;

static int compare_ids(const void *pa, const void *pb) {
    const numbered *a = pa, *b = pb;
    return a->id < b->id ? -1 : a->id > b->id;
}

gdrq_status valid_coco_ids_check(const image_list *list, gdrq_error *err) {
    numbered *all = gdrq_alloc((size_t)list->n, sizeof *all);
    if (!all)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d images", list->n);
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < list->n && status == GDRQ_OK; i++) {
        all[i].path = list->paths[i];
        status = valid_coco_id(list->paths[i], &all[i].id, err);
    }
    if (status == GDRQ_OK)
        qsort(all, (size_t)list->n, sizeof *all, compare_ids);
    for (int i = 1; i < list->n && status == GDRQ_OK; i++)
        if (all[i].id == all[i - 1].id)
            status =
                gdrq_fail(err, GDRQ_ERROR_FORMAT, "%.400s and %.400s are both COCO's image %ld",
                          all[i - 1].path, all[i].path, all[i].id);
    free(all);
    return status;
}
