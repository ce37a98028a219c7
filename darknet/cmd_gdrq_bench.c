#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "commands.h"
#include "darknet.h"
#include "data/folder.h"
#include "frame_bench.h"
#include "image/picture.h"
#include "report.h"
#include "results/json_text.h"
#include "results/memory_file.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bench_options {
    int threads, runs;
    float thresh;
    const char *json, *image;
} bench_options;

typedef struct bench {
    network *net;
    gdrq_timing *layers, total, convolutions;
    double peak;       /* multiply-accumulates per second; 0: not known */
    picture picture;   /* empty: only layers are measured */
    frame_times frame; /* of the picture */
} bench;

static double rate(const gdrq_timing *t) {
    return t->median > 0 ? t->macs / t->median : 0;
}

/* ---- table ---- */

static void print_timing(const bench *b, const char *name, const gdrq_timing *t) {
    printf("%-34s %-13s %8.3f %8.3f", name, t->kernel, 1e3 * t->median, 1e3 * t->least);
    if (t->macs > 0) {
        printf(" %8.1f", 1e-9 * rate(t));
        if (b->peak > 0)
            printf(" %5.1f", 100 * rate(t) / b->peak);
        else
            printf(" %5s", "-");
    } else {
        printf(" %8s %5s", "-", "-");
    }
    printf(" %8.2f\n", 1e-6 * t->bytes);
}

static void print_step(const char *name, const gdrq_times *t) {
    printf("%-48s %8.3f %8.3f\n", name, 1e3 * t->median, 1e3 * t->least);
}

static void print_frame(const bench *b) {
    const frame_times *f = &b->frame;
    const bool segments = gdrq_network_pixel_classes(b->net);
    printf("\nA picture of %d x %d, %d %s:\n", b->picture.w, b->picture.h, f->found,
           segments ? "classes" : "boxes");
    print_step("letterbox", &f->letterbox);
    print_step("network", &f->network);
    print_step(segments ? "classes of the pixels" : "boxes and suppression", &f->findings);
    print_step(segments ? "pixels in, classes out" : "pixels in, boxes out", &f->total);
    printf("%.2f times the network alone\n", f->total.median / f->network.median);
}

static void print_table(const bench *b) {
    printf("%-34s %-13s %8s %8s %8s %5s %8s\n", "layer", "kernel", "ms", "least", "GMAC/s", "% of",
           "MB");
    printf("%-34s %-13s %8s %8s %8s %5s %8s\n", "", "", "median", "", "", "peak", "moved");
    for (int i = 0; i < b->net->n; i++) {
        const layer *l = &b->net->layers[i];
        char name[64];
        snprintf(name, sizeof name, "%3d %-14.14s %dx%dx%d", i, b->layers[i].type, l->out_w,
                 l->out_h, l->out_c);
        print_timing(b, name, &b->layers[i]);
    }
    print_timing(b, "convolutions and connected layers", &b->convolutions);
    print_timing(b, "total", &b->total);
#ifdef GPU
    printf("%.1f images/s on the GPU", 1 / b->total.median);
#else
    printf("%.1f images/s on %d threads, %s", 1 / b->total.median, omp_get_max_threads(),
           gdrq_machine_cpu());
#endif
    if (b->peak > 0)
        printf(", peak %.0f GMAC/s", 1e-9 * b->peak);
    putchar('\n');
}

/* ---- JSON ---- */

static void put_timing(FILE *out, const gdrq_timing *t) {
    fprintf(out,
            "{\"median_ms\": %.6f, \"min_ms\": %.6f, \"gmacs\": %.9f, \"gmac_per_s\": %.3f, "
            "\"bytes\": %.0f",
            1e3 * t->median, 1e3 * t->least, 1e-9 * t->macs, 1e-9 * rate(t), t->bytes);
    if (t->kernel[0]) {
        fprintf(out, ", \"kernel\": ");
        json_put_string(out, t->kernel);
    }
}

static void put_step(FILE *out, const char *name, const gdrq_times *t) {
    fprintf(out, "    \"%s\": {\"median_ms\": %.6f, \"min_ms\": %.6f},\n", name, 1e3 * t->median,
            1e3 * t->least);
}

static void put_frame(FILE *out, const bench *b) {
    fprintf(out, "  \"frame\": {\n");
    put_step(out, "letterbox", &b->frame.letterbox);
    put_step(out, "network", &b->frame.network);
    put_step(out, gdrq_network_pixel_classes(b->net) ? "classes" : "boxes", &b->frame.findings);
    put_step(out, "total", &b->frame.total);
    fprintf(out, "    \"width\": %d, \"height\": %d, \"found\": %d\n  },\n", b->picture.w,
            b->picture.h, b->frame.found);
}

static void put_json(FILE *out, const bench *b) {
    fprintf(out, "{\n  \"total\": ");
    put_timing(out, &b->total);
    fprintf(out, "},\n  \"convolutions\": ");
    put_timing(out, &b->convolutions);
    fprintf(out, "},\n  \"layers\": [");
    for (int i = 0; i < b->net->n; i++) {
        fprintf(out, "%s\n    ", i ? "," : "");
        put_timing(out, &b->layers[i]);
        fprintf(out, ", \"index\": %d, \"type\": ", i);
        json_put_string(out, b->layers[i].type);
        putc('}', out);
    }
    fprintf(out, "\n  ],\n");
    if (b->picture.data)
        put_frame(out, b);
    fprintf(out, "  \"threads\": %d,\n  \"cpu\": ", omp_get_max_threads());
    json_put_string(out, gdrq_machine_cpu());
    fprintf(out, ",\n  \"peak_gmac_per_s\": %.3f\n}\n", 1e-9 * b->peak);
}

static gdrq_status write_json(const bench *b, const char *path, gdrq_error *err) {
    memory_file file;
    gdrq_status status = memory_file_open(&file, err);
    if (status != GDRQ_OK)
        return status;
    put_json(file.stream, b);
    status = memory_file_save(&file, path, err);
    memory_file_free(&file);
    return status;
}

/* ---- all of it ---- */

/* Thresholds from one input of no meaning. */
static gdrq_status calibrate(network *net, gdrq_error *err) {
    for (int i = 0; i < net->inputs; i++)
        net->input[i] = (float)(i * 73 % 256) / 255;
    const int batch = net->batch;
    set_batch_network(net, 1);
    gdrq_network_calibrating(net, true);
    const gdrq_status status = gdrq_network_measuring(net, GDRQ_MEASURE_ANEW, err);
    if (status == GDRQ_OK)
        network_predict(net, net->input);
    gdrq_network_measuring(net, GDRQ_MEASURE_NOTHING, NULL);
    gdrq_network_calibrating(net, false);
    set_batch_network(net, batch);
    return status;
}

/* Without weights, those of its making or random ones. */
static gdrq_status prepare(bench *b, const arg_operands *operands, gdrq_error *err) {
    gdrq_status status = gdrq_network_parse(operands->at[0], report_note, NULL, &b->net, err);
    if (status == GDRQ_OK && operands->at[1])
        status = gdrq_network_load(b->net, operands->at[1], false, NULL, err);
    else if (status == GDRQ_OK && gdrq_network_is_folded(b->net))
        status = gdrq_network_randomise(b->net, err);
    if (status != GDRQ_OK)
        return status;
    if (!operands->at[1] && !gdrq_network_is_folded(b->net))
        status = calibrate(b->net, err);
    b->layers = gdrq_alloc((size_t)b->net->n, sizeof *b->layers);
    return b->layers ? status : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
}

static void add_convolutions(bench *b) {
    b->convolutions.kernel = "";
    for (int i = 0; i < b->net->n; i++) {
        const gdrq_timing *t = &b->layers[i];
        if (t->macs <= 0)
            continue;
        b->convolutions.median += t->median;
        b->convolutions.least += t->least;
        b->convolutions.macs += t->macs;
        b->convolutions.bytes += t->bytes;
    }
}

static gdrq_status run(const arg_operands *operands, const bench_options *o, gdrq_error *err) {
    bench b = {0};
    const char *const inputs[] = {operands->at[0], operands->at[1], o->image};
    gdrq_status status = o->json ? folder_check_output(o->json, inputs, 3, err) : GDRQ_OK;
    if (o->threads)
        omp_set_num_threads(o->threads);
    if (status == GDRQ_OK)
        status = prepare(&b, operands, err);
    if (status == GDRQ_OK && o->image)
        status = frame_bench_check(b.net, operands->at[0], err);
    if (status == GDRQ_OK && o->image)
        status = picture_load(o->image, &b.picture, err);
    if (status == GDRQ_OK) {
#ifndef GPU
        b.peak = gdrq_machine_peak();
#endif
        status = gdrq_network_bench(b.net, o->runs, b.layers, &b.total, err);
    }
    if (status == GDRQ_OK && o->image)
        status = frame_bench(b.net, &b.picture, o->thresh, o->runs, &b.frame, err);
    if (status == GDRQ_OK) {
        add_convolutions(&b);
        print_table(&b);
        if (o->image)
            print_frame(&b);
    }
    if (status == GDRQ_OK && o->json)
        status = write_json(&b, o->json, err);
    picture_free(&b.picture);
    free(b.layers);
    if (b.net)
        free_network(b.net);
    return status;
}

int cmd_gdrq_bench(int argc, char **argv) {
    bench_options o = {.runs = 30, .thresh = .5f};
    const arg_flag flags[] = {
        {.name = "threads",
         .value_name = "N",
         .integer = &o.threads,
         .max = 1024,
         .help = "threads to run on; 0: as many as there are cores"},
        {.name = "runs",
         .value_name = "N",
         .integer = &o.runs,
         .min = 1,
         .max = 100000,
         .help = "runs to take the median of"},
        {.name = "image",
         .value_name = "FILE",
         .text = &o.image,
         .help = "measure a picture's way from pixels to boxes, or to their classes, too"},
        {.name = "thresh",
         .value_name = "P",
         .real = &o.thresh,
         .max = 1,
         .help = "score above which a box is one, with -image"},
        {.name = "json", .value_name = "FILE", .text = &o.json, .help = "write the numbers, too"},
    };
    const arg_spec spec = {
        .command = "gdrq bench",
        .operands = "CFG [WEIGHTS]",
        .help = "Measures a network's speed layer by layer: time, multiply-accumulates per second, "
                "their share\nof what the processor can do at most, and bytes moved. Takes stock, "
                "quantised and folded cfgs;\nwithout WEIGHTS, random ones.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, &o, &err) == GDRQ_OK ? 0 : report_error(&err);
}
