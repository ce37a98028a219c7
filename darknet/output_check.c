#include "output_check.h"

#include "base/alloc.h"
#include "base/same_file.h"
#include "base/status.h"
#include "data/image_list.h"
#include "data/labels.h"
#include "data/masks.h"

#include <stdlib.h>
#include <sys/stat.h>

typedef struct file_identity {
    dev_t device;
    ino_t inode;
} file_identity;

/* The outputs that exist, sorted: a few of them, or thousands as of a folder of pictures. */
typedef struct old_outputs {
    file_identity *at;
    int n;
} old_outputs;

static bool identify(const char *path, file_identity *found) {
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    *found = (file_identity){st.st_dev, st.st_ino};
    return true;
}

static int compare(const void *a, const void *b) {
    const file_identity *x = a, *y = b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

static gdrq_status find_old(const char *const *outputs, int n, old_outputs *old, gdrq_error *err) {
    *old = (old_outputs){gdrq_alloc((size_t)n, sizeof *old->at), 0};
    if (!old->at)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d files", n);
    for (int i = 0; i < n; i++)
        if (outputs[i] && identify(outputs[i], &old->at[old->n]))
            old->n++;
    qsort(old->at, (size_t)old->n, sizeof *old->at, compare);
    return GDRQ_OK;
}

static gdrq_status check_input(const old_outputs *old, const char *path, gdrq_error *err) {
    file_identity wanted;
    if (!identify(path, &wanted) ||
        !bsearch(&wanted, old->at, (size_t)old->n, sizeof wanted, compare))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s would be replaced: give the result another name",
                     path);
}

/* The labels or masks of an image; that it has none is for whoever reads them to tell. */
static gdrq_status check_companion(const old_outputs *old, const char *image, task t,
                                   gdrq_error *err) {
    char *path = NULL;
    bool is_png;
    gdrq_error none;
    if (t == TASK_DETECT)
        label_path(image, &path, &none);
    if (t == TASK_SEGMENT)
        mask_path(image, &path, &is_png, &none);
    const gdrq_status status = path ? check_input(old, path, err) : GDRQ_OK;
    free(path);
    return status;
}

static gdrq_status check_list(const old_outputs *old, const char *list_path, task t,
                              gdrq_error *err) {
    image_list list;
    gdrq_status status = image_list_read(list_path, &list, err);
    if (status != GDRQ_OK)
        return status;
    for (int i = 0; i < list.n && status == GDRQ_OK; i++) {
        status = check_input(old, list.paths[i], err);
        if (status == GDRQ_OK)
            status = check_companion(old, list.paths[i], t, err);
    }
    image_list_free(&list);
    return status;
}

static gdrq_status check_data(const old_outputs *old, const run_inputs *in, gdrq_error *err) {
    gdrq_status status = check_input(old, in->data->path, err);
    for (int i = 0; i < in->data->n && status == GDRQ_OK; i++)
        status = check_input(old, in->data->options[i].value, err);
    for (size_t i = 0; i < sizeof in->lists / sizeof *in->lists && status == GDRQ_OK; i++) {
        const char *path = in->lists[i] ? data_cfg_find(in->data, in->lists[i]) : NULL;
        if (path)
            status = check_list(old, path, in->task, err);
    }
    return status;
}

gdrq_status output_check(const char *const *outputs, int n, const run_inputs *inputs,
                         gdrq_error *err) {
    old_outputs old;
    gdrq_status status = find_old(outputs, n, &old, err);
    if (status == GDRQ_OK && old.n) {
        for (int i = 0; i < inputs->n && status == GDRQ_OK; i++)
            if (inputs->files[i])
                status = check_input(&old, inputs->files[i], err);
        if (status == GDRQ_OK && inputs->data)
            status = check_data(&old, inputs, err);
    }
    free(old.at);
    return status;
}

gdrq_status output_check_apart(const char *const *outputs, int n, gdrq_error *err) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            if (outputs[i] && outputs[k] && gdrq_same_file(outputs[i], outputs[k]))
                return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                                 "%s and %s are the same file: give one result another name",
                                 outputs[k], outputs[i]);
    return GDRQ_OK;
}

gdrq_status output_check_data_file(const char *const *outputs, int n, const char *data_path,
                                   const char *list, task task, gdrq_error *err) {
    data_cfg data;
    gdrq_status status = data_cfg_read(data_path, &data, err);
    if (status != GDRQ_OK)
        return status;
    const run_inputs inputs = {.data = &data, .lists = {list}, .task = task};
    status = output_check(outputs, n, &inputs, err);
    data_cfg_free(&data);
    return status;
}
