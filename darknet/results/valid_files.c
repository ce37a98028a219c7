#include "results/valid_files.h"

#include "base/alloc.h"
#include "base/status.h"
#include "data/folder.h"
#include "results/memory_file.h"
#include "results/valid_ids.h"

#include <stdlib.h>
#include <string.h>

enum { COCO_CLASSES = 80, IMAGENET_CLASSES = 200 };

/* COCO numbers its 80 categories from 1 to 90: eleven of the 91 that were planned have no image. */
static const int unused_coco_ids[] = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83};

struct valid_files {
    valid_spec spec;
    memory_file *files; /* of VOC one per class, else one */
    char **paths;
    int n;
    int images;   /* added so far */
    bool started; /* COCO: there is an entry before */
};

static int coco_category(int class_id) {
    int id = class_id + 1;
    for (size_t i = 0; i < sizeof unused_coco_ids / sizeof *unused_coco_ids; i++)
        id += unused_coco_ids[i] <= id;
    return id;
}

gdrq_status valid_format_find(const char *eval, valid_format *format, gdrq_error *err) {
    static const struct {
        const char *name;
        valid_format format;
    } known[] = {{"voc", VALID_VOC}, {"coco", VALID_COCO}, {"imagenet", VALID_IMAGENET}};
    if (!eval)
        eval = known[0].name;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(eval, known[i].name)) {
            *format = known[i].format;
            return GDRQ_OK;
        }
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "eval = %.60s: there are voc, coco and imagenet",
                     eval);
}

static gdrq_status check_classes(const valid_spec *spec, gdrq_error *err) {
    if (spec->format == VALID_COCO && spec->classes > COCO_CLASSES)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "eval = coco has %d categories; the network has %d classes", COCO_CLASSES,
                         spec->classes);
    if (spec->format == VALID_IMAGENET && spec->classes != IMAGENET_CLASSES)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "eval = imagenet needs %d classes, or a class tree and a map = of so many "
                         "entries; the network has %d classes",
                         IMAGENET_CLASSES, spec->classes);
    for (int i = 0; spec->format == VALID_VOC && i < spec->classes; i++)
        if (strchr(spec->names[i], '/'))
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "the class name '%s' has a slash: no result file can have that name",
                             spec->names[i]);
    return GDRQ_OK;
}

static char *make_path(const valid_spec *spec, int i) {
    static const char *const standard[] = {"comp4_det_test_", "coco_results", "imagenet-detection"};
    const char *out = spec->out ? spec->out : standard[spec->format];
    const char *class_name = spec->format == VALID_VOC ? spec->names[i] : "";
    const char *extension = spec->format == VALID_COCO ? ".json" : ".txt";
    const size_t size = strlen(spec->folder) + strlen(out) + strlen(class_name) + sizeof "/.json";
    char *path = gdrq_alloc(size, 1);
    if (path)
        snprintf(path, size, "%s/%s%s%s", spec->folder, out, class_name, extension);
    return path;
}

/* Names that differ in nothing would share a file. */
static gdrq_status check_distinct(const valid_spec *spec, gdrq_error *err) {
    for (int i = 0; spec->format == VALID_VOC && i < spec->classes; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(spec->names[i], spec->names[j]))
                return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                                 "classes %d and %d are both named '%s': they would share a result "
                                 "file",
                                 j, i, spec->names[i]);
    return GDRQ_OK;
}

static gdrq_status make_files(valid_files *f, gdrq_error *err) {
    f->n = f->spec.format == VALID_VOC ? f->spec.classes : 1;
    f->files = gdrq_alloc((size_t)f->n, sizeof *f->files);
    f->paths = gdrq_alloc((size_t)f->n, sizeof *f->paths);
    if (!f->files || !f->paths)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the result files");
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < f->n && status == GDRQ_OK; i++) {
        f->paths[i] = make_path(&f->spec, i);
        status = f->paths[i] ? memory_file_open(&f->files[i], err)
                             : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a path");
    }
    return status;
}

gdrq_status valid_files_open(const valid_spec *spec, valid_files **files, gdrq_error *err) {
    *files = NULL;
    gdrq_status status = check_classes(spec, err);
    if (status == GDRQ_OK)
        status = check_distinct(spec, err);
    if (status == GDRQ_OK)
        status = folder_prepare(spec->folder, "results folder", err);
    if (status != GDRQ_OK)
        return status;
    valid_files *f = gdrq_alloc(1, sizeof *f);
    if (!f)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the result files");
    f->spec = *spec;
    status = make_files(f, err);
    if (status == GDRQ_OK && spec->format == VALID_COCO)
        fputs("[", f->files[0].stream);
    if (status == GDRQ_OK)
        *files = f;
    else
        valid_files_free(f);
    return status;
}

/* Edges in pixels, cut off at the image's; the first pixel's centre is at `first`. */
typedef struct edges {
    float left, top, right, bottom;
} edges;

static edges pixel_edges(const box *relative, int w, int h, float first) {
    const box b = {relative->x * (float)w, relative->y * (float)h, relative->w * (float)w,
                   relative->h * (float)h};
    edges e = {(float)(b.x - b.w / 2. + first), (float)(b.y - b.h / 2. + first),
               (float)(b.x + b.w / 2. + first), (float)(b.y + b.h / 2. + first)};
    if (e.left < first)
        e.left = first;
    if (e.top < first)
        e.top = first;
    if (e.right > (float)w)
        e.right = (float)w;
    if (e.bottom > (float)h)
        e.bottom = (float)h;
    /* A box in the letterbox's border has nothing left; its size is 0, not negative. */
    if (e.right < e.left)
        e.right = e.left;
    if (e.bottom < e.top)
        e.bottom = e.top;
    return e;
}

static void put_voc(valid_files *f, const char *image, const detection *d, int w, int h) {
    int length;
    const char *name = valid_voc_id(image, &length);
    const edges e = pixel_edges(&d->bbox, w, h, 1);
    for (int i = 0; i < f->spec.classes; i++)
        if (d->prob[i] > 0)
            fprintf(f->files[i].stream, "%.*s %f %f %f %f %f\n", length, name, d->prob[i], e.left,
                    e.top, e.right, e.bottom);
}

static void put_coco(valid_files *f, long id, const detection *d, int w, int h) {
    const edges e = pixel_edges(&d->bbox, w, h, 0);
    for (int i = 0; i < f->spec.classes; i++) {
        if (!(d->prob[i] > 0))
            continue;
        fprintf(f->files[0].stream,
                "%s\n{\"image_id\":%ld, \"category_id\":%d, \"bbox\":[%f, %f, %f, %f], "
                "\"score\":%f}",
                f->started ? "," : "", id, coco_category(i), e.left, e.top, e.right - e.left,
                e.bottom - e.top, d->prob[i]);
        f->started = true;
    }
}

static void put_imagenet(valid_files *f, const detection *d, int w, int h) {
    const edges e = pixel_edges(&d->bbox, w, h, 0);
    for (int i = 0; i < f->spec.classes; i++)
        if (d->prob[i] > 0)
            fprintf(f->files[0].stream, "%d %d %f %f %f %f %f\n", f->images, i + 1, d->prob[i],
                    e.left, e.top, e.right, e.bottom);
}

gdrq_status valid_files_add(valid_files *files, const char *image, const detections *found, int w,
                            int h, gdrq_error *err) {
    long id = 0;
    files->images++;
    if (files->spec.format == VALID_COCO) {
        const gdrq_status status = valid_coco_id(image, &id, err);
        if (status != GDRQ_OK)
            return status;
    }
    for (int i = 0; i < found->n; i++) {
        const detection *d = &found->at[i];
        if (!detection_is_finite(d))
            continue;
        switch (files->spec.format) {
        case VALID_VOC:
            put_voc(files, image, d, w, h);
            break;
        case VALID_COCO:
            put_coco(files, id, d, w, h);
            break;
        case VALID_IMAGENET:
            put_imagenet(files, d, w, h);
            break;
        }
    }
    return GDRQ_OK;
}

gdrq_status valid_files_save(valid_files *files, gdrq_error *err) {
    if (files->spec.format == VALID_COCO)
        fputs("\n]\n", files->files[0].stream);
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < files->n && status == GDRQ_OK; i++)
        status = memory_file_save(&files->files[i], files->paths[i], err);
    return status;
}

int valid_files_count(const valid_files *files) {
    return files->n;
}

const char *const *valid_files_paths(const valid_files *files) {
    return (const char *const *)files->paths;
}

void valid_files_free(valid_files *files) {
    if (!files)
        return;
    for (int i = 0; i < files->n; i++) {
        if (files->files)
            memory_file_free(&files->files[i]);
        if (files->paths)
            free(files->paths[i]);
    }
    free(files->files);
    free(files->paths);
    free(files);
}
