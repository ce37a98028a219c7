#include "data/class_labels.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

gdrq_status class_labels_read(const char *path, int classes, class_labels *labels,
                              gdrq_error *err) {
    *labels = (class_labels){.n = classes, .path = path};
    const gdrq_status status = class_names_read(path, classes, &labels->names, err);
    if (status != GDRQ_OK)
        *labels = (class_labels){0};
    return status;
}

void class_labels_free(class_labels *labels) {
    class_names_free(&labels->names);
    *labels = (class_labels){0};
}

static bool is_folder_of(const char *path, const char *label) {
    const size_t n = strlen(label);
    for (const char *at = strstr(path, label); at; at = strstr(at + 1, label))
        if ((at == path || at[-1] == '/') && at[n] == '/')
            return true;
    return false;
}

static void note(int *found, int class_id) {
    *found = *found == CLASS_NONE ? class_id : CLASS_SEVERAL;
}

int class_of_path(const class_labels *labels, const char *path) {
    int in_path = CLASS_NONE, folder = CLASS_NONE;
    for (int i = 0; i < labels->n; i++) {
        const char *label = labels->names.names[i];
        if (!strstr(path, label))
            continue;
        note(&in_path, i);
        if (is_folder_of(path, label))
            note(&folder, i);
    }
    return folder != CLASS_NONE ? folder : in_path;
}

/* The first class >= from whose label occurs in the path; one does. */
static int next_class(const class_labels *labels, const char *path, int from) {
    while (!strstr(path, labels->names.names[from]))
        from++;
    return from;
}

static gdrq_status fail_label(const class_labels *labels, const char *path, int class_id,
                              gdrq_error *err) {
    char *const *names = labels->names.names;
    if (class_id == CLASS_NONE)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%.500s: none of the %d labels of %.200s ('%.60s' ...) occurs in this "
                         "path: name a folder or the file by its class",
                         path, labels->n, labels->path, names[0]);
    const int first = next_class(labels, path, 0), second = next_class(labels, path, first + 1);
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%.500s: more than one label of %.200s occurs in this path, '%.60s' (class "
                     "%d) and '%.60s' (class %d): one must be the whole name of a folder",
                     path, labels->path, names[first], first, names[second], second);
}

typedef struct class_check {
    const class_labels *labels;
    const int *class_ids;
} class_check;

static gdrq_status check_image(const void *user, const image_list *list, int i, gdrq_error *err) {
    const class_check *check = user;
    const gdrq_status status = image_file_check(list->paths[i], err);
    if (status != GDRQ_OK || check->class_ids[i] >= 0)
        return status;
    return fail_label(check->labels, list->paths[i], check->class_ids[i], err);
}

gdrq_status classified_images_read(const char *list_path, const class_labels *labels,
                                   classified_images *images, gdrq_error *err) {
    *images = (classified_images){0};
    gdrq_status status = image_list_read(list_path, &images->list, err);
    if (status != GDRQ_OK)
        return status;
    const int n = images->list.n;
    images->class_ids = gdrq_alloc((size_t)n, sizeof *images->class_ids);
    if (images->class_ids) {
        /* ImageNet has a million paths, and a thousand labels to look for in each. */
#pragma omp parallel for schedule(static)
        for (int i = 0; i < n; i++)
            images->class_ids[i] = class_of_path(labels, images->list.paths[i]);
        const class_check check = {labels, images->class_ids};
        status = image_list_check(&images->list, check_image, &check, err);
    } else {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", list_path);
    }
    if (status != GDRQ_OK)
        classified_images_free(images);
    return status;
}

void classified_images_free(classified_images *images) {
    free(images->class_ids);
    image_list_free(&images->list);
    *images = (classified_images){0};
}
