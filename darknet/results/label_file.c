#include "results/label_file.h"

#include "base/status.h"
#include "data/labels.h"
#include "results/memory_file.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Darknet's place for the labels of images/NAME.jpg is labels/NAME.txt. */
static gdrq_status check_folder(const char *path, gdrq_error *err) {
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (!slash || slash == path || access(folder, F_OK) == 0)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_IO, "%s: the folder for label files is missing: make it first",
                     folder);
}

static gdrq_status check_path(const char *path, bool force, gdrq_error *err) {
    const gdrq_status status = check_folder(path, err);
    if (status != GDRQ_OK)
        return status;
    if (force || access(path, F_OK) != 0)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_IO,
                     "%s: the label file exists and might be made by hand; -force replaces it",
                     path);
}

gdrq_status label_file_check(const char *image, bool force, gdrq_error *err) {
    char *path;
    gdrq_status status = label_path(image, &path, err);
    if (status == GDRQ_OK)
        status = check_path(path, force, err);
    free(path);
    return status;
}

static int likeliest_class(const detection *d, int classes, float thresh) {
    int best = -1;
    for (int i = 0; i < classes; i++)
        if (d->prob[i] > thresh && (best < 0 || d->prob[i] > d->prob[best]))
            best = i;
    return best;
}

/* Six decimals; a size that they round to 0 would be refused by whoever reads it. */
static void put_label(FILE *out, int class_id, const box *b) {
    const double left = fmax(b->x - b->w / 2., 0), right = fmin(b->x + b->w / 2., 1);
    const double top = fmax(b->y - b->h / 2., 0), bottom = fmin(b->y + b->h / 2., 1);
    const double w = right - left, h = bottom - top;
    if (w >= 1e-6 && h >= 1e-6)
        fprintf(out, "%d %.6f %.6f %.6f %.6f\n", class_id, (left + right) / 2, (top + bottom) / 2,
                w, h);
}

static gdrq_status write_to(const char *path, const detections *found, int classes, float thresh,
                            gdrq_error *err) {
    memory_file file;
    gdrq_status status = memory_file_open(&file, err);
    if (status != GDRQ_OK)
        return status;
    for (int i = 0; i < found->n; i++) {
        const detection *d = &found->at[i];
        const int class_id = likeliest_class(d, classes, thresh);
        if (class_id >= 0 && detection_is_finite(d))
            put_label(file.stream, class_id, &d->bbox);
    }
    status = memory_file_save(&file, path, err);
    memory_file_free(&file);
    return status;
}

gdrq_status label_file_write(const char *image, const detections *found, int classes, float thresh,
                             bool force, gdrq_error *err) {
    char *path;
    gdrq_status status = label_path(image, &path, err);
    if (status == GDRQ_OK)
        status = check_path(path, force, err);
    if (status == GDRQ_OK)
        status = write_to(path, found, classes, thresh, err);
    free(path);
    return status;
}
