#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "commands.h"
#include "data/labelled_images.h"
#include "data_file.h"
#include "eval/anchors.h"
#include "image/picture.h"
#include "list_progress.h"
#include "report.h"
#include "results/anchor_plot.h"
#include "results/memory_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEED = 1, LARGEST_CELLS = 32, MOST_CLASSES = 1 << 20 };

typedef struct anchor_options {
    int clusters, width, height;
    bool show;
} anchor_options;

typedef struct size_list {
    box_size *at;
    size_t n;
} size_list;

/* Sizes in the network's input, into which training and inference fit pictures in proportion. */
static void add_sizes(const anchor_options *o, const picture *p, const label_list *labels,
                      box_size *sizes) {
    const float scale = fminf((float)o->width / (float)p->w, (float)o->height / (float)p->h);
    for (int i = 0; i < labels->n; i++)
        sizes[i] = (box_size){labels->labels[i].w * (float)p->w * scale,
                              labels->labels[i].h * (float)p->h * scale};
}

/* Decoding is what takes time, and the pictures' proportions are known to it only. */
static gdrq_status measure_images(const anchor_options *o, const labelled_images *images,
                                  const size_t *offsets, box_size *sizes, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    int done = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < images->list.n; i++) {
        gdrq_status before;
#pragma omp atomic read
        before = status;
        if (before != GDRQ_OK)
            continue;
        picture p = {0};
        gdrq_error error;
        const gdrq_status read =
            images->labels[i].n ? picture_load(images->list.paths[i], &p, &error) : GDRQ_OK;
        if (read == GDRQ_OK && images->labels[i].n)
            add_sizes(o, &p, &images->labels[i], sizes + offsets[i]);
        picture_free(&p);
#pragma omp critical
        {
            if (read != GDRQ_OK && status == GDRQ_OK) {
                *err = error;
#pragma omp atomic write
                status = read;
            }
            if (status == GDRQ_OK)
                list_progress(NULL, ++done, images->list.n);
        }
    }
    return status;
}

static gdrq_status make_sizes(const anchor_options *o, const labelled_images *images,
                              size_list *sizes, gdrq_error *err) {
    sizes->n = labelled_images_objects(images);
    sizes->at = gdrq_alloc(sizes->n, sizeof *sizes->at);
    size_t *offsets = gdrq_alloc((size_t)images->list.n, sizeof *offsets);
    gdrq_status status = GDRQ_OK;
    if (!sizes->at || !offsets) {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu boxes", sizes->n);
    } else {
        for (int i = 1; i < images->list.n; i++)
            offsets[i] = offsets[i - 1] + (size_t)images->labels[i - 1].n;
        status = measure_images(o, images, offsets, sizes->at, err);
    }
    free(offsets);
    return status;
}

/* Yolo's anchors are whole pixels; region's, in cells of a small map, keep four decimals. */
static bool in_cells(const anchor_options *o) {
    return o->width <= LARGEST_CELLS && o->height <= LARGEST_CELLS;
}

static float rounded(const anchor_options *o, float side) {
    return in_cells(o) ? roundf(side * 1e4f) / 1e4f : fmaxf(roundf(side), 1);
}

static void put_anchors(FILE *out, const anchor_options *o, const box_size *anchors) {
    const int decimals = in_cells(o) ? 4 : 0;
    for (int j = 0; j < o->clusters; j++)
        fprintf(out, "%s%.*f,%.*f", j ? ",  " : "", decimals, anchors[j].w, decimals, anchors[j].h);
    putc('\n', out);
}

static gdrq_status write_anchors(const anchor_options *o, const box_size *anchors,
                                 gdrq_error *err) {
    memory_file file;
    gdrq_status status = memory_file_open(&file, err);
    if (status != GDRQ_OK)
        return status;
    put_anchors(file.stream, o, anchors);
    status = memory_file_save(&file, "anchors.txt", err);
    memory_file_free(&file);
    return status;
}

static gdrq_status show(const anchor_options *o, const size_list *sizes, const box_size *anchors,
                        gdrq_error *err) {
    printf("avg IoU = %.2f %%\nanchors = ",
           100 * anchors_mean_iou(sizes->at, sizes->n, anchors, o->clusters));
    put_anchors(stdout, o, anchors);
    gdrq_status status = write_anchors(o, anchors, err);
    if (status == GDRQ_OK && o->show)
        status = anchor_plot_save(sizes->at, sizes->n, anchors, o->clusters, "anchors.png", err);
    if (status == GDRQ_OK)
        printf("Wrote anchors.txt%s\n", o->show ? " and anchors.png" : "");
    return status;
}

static gdrq_status fit(const anchor_options *o, const labelled_images *images, gdrq_error *err) {
    size_list sizes = {0};
    box_size anchors[ANCHORS_MOST];
    gdrq_status status = make_sizes(o, images, &sizes, err);
    if (status == GDRQ_OK) {
        printf("%zu boxes in %d images, %d anchors for an input of %d x %d\n", sizes.n,
               images->list.n, o->clusters, o->width, o->height);
        fflush(stdout);
        status = anchors_fit(sizes.at, sizes.n, o->clusters, SEED, anchors, err);
    }
    if (status == GDRQ_OK) {
        for (int j = 0; j < o->clusters; j++)
            anchors[j] = (box_size){rounded(o, anchors[j].w), rounded(o, anchors[j].h)};
        status = show(o, &sizes, anchors, err);
    }
    free(sizes.at);
    return status;
}

static gdrq_status run(const arg_operands *operands, const anchor_options *o, gdrq_error *err) {
    data_cfg data = {0};
    labelled_images images = {0};
    const char *train;
    int classes = 0;
    gdrq_status status = data_file_read(operands->at[0], &data, err);
    if (status == GDRQ_OK)
        status = data_cfg_require_int(&data, "classes", 1, MOST_CLASSES, &classes, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&data, "train", &train, err);
    if (status == GDRQ_OK)
        status = labelled_images_read(train, classes, &images, err);
    if (status == GDRQ_OK && labelled_images_objects(&images) < (size_t)o->clusters)
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %zu boxes are too few for %d anchors",
                           train, labelled_images_objects(&images), o->clusters);
    if (status == GDRQ_OK)
        status = fit(o, &images, err);
    labelled_images_free(&images);
    data_cfg_free(&data);
    return status;
}

int cmd_detector_calc_anchors(int argc, char **argv) {
    anchor_options o = {.clusters = 9, .width = 416, .height = 416};
    bool no_effect;
    const arg_flag flags[] = {
        {.name = "num_of_clusters",
         .value_name = "N",
         .integer = &o.clusters,
         .min = 1,
         .max = ANCHORS_MOST,
         .help = "how many anchors: num= of the [yolo] sections"},
        {.name = "width",
         .value_name = "N",
         .integer = &o.width,
         .min = 1,
         .max = 1 << 16,
         .help = "the network's input width, or of [region]'s map"},
        {.name = "height",
         .value_name = "N",
         .integer = &o.height,
         .min = 1,
         .max = 1 << 16,
         .help = "the same of the height"},
        {.name = "show", .on = &o.show, .help = "draw boxes and anchors to anchors.png, too"},
        {.name = "letter_box",
         .on = &no_effect,
         .help = "no effect: pictures always keep their proportions"},
    };
    const arg_spec spec = {
        .command = "detector calc_anchors",
        .operands = "DATA",
        .help = "Finds anchors that fit the boxes of DATA's train= list: k-means with the boxes' "
                "overlap. Prints the\nmean overlap and the line for the cfg, by rising area, and "
                "writes "
                "the line's value to anchors.txt.\nWith a width and height of at most 32 anchors "
                "are in "
                "cells, as [region] counts, not in pixels.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, &o, &err) == GDRQ_OK ? 0 : report_error(&err);
}
