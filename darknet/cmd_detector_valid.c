#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "commands.h"
#include "data/image_list.h"
#include "detect.h"
#include "detector.h"
#include "list_progress.h"
#include "output_check.h"
#include "report.h"
#include "results/valid_files.h"
#include "results/valid_ids.h"
#include "seconds.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_MAP_BYTES = 1 << 20 };

typedef struct valid_options {
    float thresh;
    const char *out;
    bool flip;
} valid_options;

/* What a run needs beside the network. */
typedef struct valid_job {
    image_list list;
    valid_files *files;
    int *map; /* DETECT_MAP_CLASSES of the network's classes, or NULL */
} valid_job;

static gdrq_status parse_map(const char *path, const text_lines *text, int classes, int *map,
                             gdrq_error *err) {
    for (int i = 0; i < DETECT_MAP_CLASSES; i++)
        if (i >= text->n || !text_to_int(text->lines[i], 0, classes - 1, &map[i]))
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s:%d: expected a class of the network, 0..%d; a map has %d lines",
                             path, i + 1, classes - 1, DETECT_MAP_CLASSES);
    return GDRQ_OK;
}

/* The map= file, which picks 200 classes of a class tree; without a tree upstream ignores it. */
static gdrq_status read_map_file(const detector *d, int **map, gdrq_error *err) {
    const char *path = data_cfg_find(&d->data, "map");
    *map = NULL;
    if (!path || !d->net->layers[d->net->n - 1].softmax_tree)
        return GDRQ_OK;
    if (d->classes < DETECT_MAP_CLASSES)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: map = %s picks %d classes; the network has only %d", d->data.path,
                         path, DETECT_MAP_CLASSES, d->classes);
    text_lines text;
    gdrq_status status = text_lines_read(path, MOST_MAP_BYTES, &text, err);
    if (status != GDRQ_OK)
        return status;
    *map = gdrq_alloc(DETECT_MAP_CLASSES, sizeof **map);
    if (*map)
        status = parse_map(path, &text, d->classes, *map, err);
    else
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    text_lines_free(&text);
    return status;
}

static gdrq_status prepare(const detector *d, const valid_options *o, valid_job *job,
                           gdrq_error *err) {
    const char *valid, *folder = data_cfg_find(&d->data, "results");
    valid_spec spec = {.folder = folder ? folder : "results", .out = o->out};
    gdrq_status status = data_cfg_require(&d->data, "valid", &valid, err);
    if (status == GDRQ_OK)
        status = valid_format_find(data_cfg_find(&d->data, "eval"), &spec.format, err);
    if (status == GDRQ_OK)
        status = image_list_read(valid, &job->list, err);
    if (status == GDRQ_OK && spec.format == VALID_COCO)
        status = valid_coco_ids_check(&job->list, err);
    if (status == GDRQ_OK)
        status = read_map_file(d, &job->map, err);
    if (status != GDRQ_OK)
        return status;
    spec.names = d->names.names;
    spec.classes = job->map ? DETECT_MAP_CLASSES : d->classes;
    return valid_files_open(&spec, &job->files, err);
}

/* Labels are not read. */
static gdrq_status check_replaced(const valid_job *job, const arg_operands *operands,
                                  const data_cfg *data, gdrq_error *err) {
    const run_inputs inputs = {
        .files = operands->at, .n = 3, .data = data, .lists = {"valid"}, .task = TASK_CLASSIFY};
    return output_check(valid_files_paths(job->files), valid_files_count(job->files), &inputs, err);
}

static gdrq_status add_image(const detector *d, const valid_options *o, const valid_job *job,
                             const char *path, gdrq_error *err) {
    const detect_options options = {
        .boxes = {.thresh = o->thresh, .hier = .5f, .nms = detect_nms, .map = job->map},
        .flip = o->flip};
    picture p;
    detections found = {0};
    gdrq_status status = picture_load(path, &p, err);
    if (status == GDRQ_OK)
        status = detect_with(d->net, &p, &options, &found, err);
    if (status == GDRQ_OK)
        status = valid_files_add(job->files, path, &found, p.w, p.h, err);
    detections_free(&found);
    picture_free(&p);
    return status;
}

static gdrq_status detect_all(const detector *d, const valid_options *o, const valid_job *job,
                              gdrq_error *err) {
    const double start = seconds_now();
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < job->list.n && status == GDRQ_OK; i++) {
        status = add_image(d, o, job, job->list.paths[i], err);
        if (status == GDRQ_OK)
            list_progress(NULL, i + 1, job->list.n);
    }
    if (status == GDRQ_OK)
        status = valid_files_save(job->files, err);
    if (status != GDRQ_OK)
        return status;
    fprintf(stderr, "Total Detection Time: %f Seconds\n", seconds_now() - start);
    const int more = valid_files_count(job->files) - 1;
    printf("Wrote %s", valid_files_paths(job->files)[0]);
    if (more)
        printf(" and %d files more", more);
    putchar('\n');
    return GDRQ_OK;
}

static int run(const arg_operands *operands, const valid_options *o) {
    gdrq_error err;
    detector d;
    valid_job job = {0};
    gdrq_status status =
        detector_open_trained(operands->at[0], operands->at[1], operands->at[2], &d, &err);
    if (status == GDRQ_OK)
        status = prepare(&d, o, &job, &err);
    if (status == GDRQ_OK)
        status = check_replaced(&job, operands, &d.data, &err);
    if (status == GDRQ_OK)
        status = detect_all(&d, o, &job, &err);
    valid_files_free(job.files);
    free(job.map);
    image_list_free(&job.list);
    detector_close(&d);
    return status == GDRQ_OK ? 0 : report_error(&err);
}

static int valid_command(const char *name, const char *help, bool flip, int argc, char **argv) {
    valid_options o = {.thresh = .005f, .flip = flip};
    bool no_effect;
    const arg_flag flags[] = {
        {.name = "out",
         .value_name = "NAME",
         .text = &o.out,
         .help = "the files' name: comp4_det_test_, coco_results or imagenet-detection"},
        {.name = "thresh",
         .value_name = "P",
         .real = &o.thresh,
         .max = 1,
         .help = "score above which a detection is written"},
        {.name = "letter_box",
         .on = &no_effect,
         .help = "no effect: pictures always keep their proportions"},
    };
    const arg_spec spec = {.command = name,
                           .operands = "DATA CFG WEIGHTS",
                           .help = help,
                           .flags = flags,
                           .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    return done >= 0 ? done : run(&operands, &o);
}

#define VALID_HELP                                                                               \
    "Writes what is detected in the images of DATA's valid= list to its results= folder, which " \
    "is\n"                                                                                       \
    "made if missing (as standard: results), in the form of its eval= key: voc (one file per "   \
    "class,\n"                                                                                   \
    "the standard), coco (JSON) or imagenet. A map= file picks 200 classes of a class tree."

int cmd_detector_valid(int argc, char **argv) {
    return valid_command("detector valid", VALID_HELP, false, argc, argv);
}

int cmd_detector_valid2(int argc, char **argv) {
    return valid_command("detector valid2",
                         VALID_HELP "\nEach image is run mirrored, too, and the network's outputs "
                                    "are averaged.",
                         true, argc, argv);
}
