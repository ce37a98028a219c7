#include "args.h"
#include "base/status.h"
#include "commands.h"
#include "data/folder.h"
#include "detector.h"
#include "eval/detector_map.h"
#include "list_progress.h"
#include "output_check.h"
#include "report.h"
#include "results/json_text.h"
#include "results/memory_file.h"

#include <math.h>
#include <stdio.h>

typedef struct command_options {
    float thresh, iou_thresh;
    int points;
    const char *json;
    map_options map; /* made from the ones above */
} command_options;

static gdrq_status find_iou(command_options *o, gdrq_error *err) {
    o->map.iou_index = (int)lrintf((o->iou_thresh - .5f) * 20);
    if (fabsf(.5f + .05f * o->map.iou_index - o->iou_thresh) < 1e-4f)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-iou_thresh: %g is not one of 0.50, 0.55 ... 0.95",
                     o->iou_thresh);
}

static gdrq_status find_method(command_options *o, gdrq_error *err) {
    switch (o->points) {
    case 0:
        o->map.method = MAP_VOC_AREA;
        return GDRQ_OK;
    case MAP_VOC2007_POINTS:
        o->map.method = MAP_VOC2007;
        return GDRQ_OK;
    case MAP_RECALL_POINTS:
        o->map.method = MAP_COCO;
        return GDRQ_OK;
    }
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-points: %d is not one of 0, 11, 101", o->points);
}

static gdrq_status make_map_options(command_options *o, gdrq_error *err) {
    o->map.confidence = o->thresh;
    const gdrq_status status = find_iou(o, err);
    return status == GDRQ_OK ? find_method(o, err) : status;
}

static const char *method_name(map_method method) {
    switch (method) {
    case MAP_COCO:
        return "the mean of precision at 101 values of recall (COCO)";
    case MAP_VOC2007:
        return "the mean of precision at 11 values of recall (PASCAL VOC 2007)";
    case MAP_VOC_AREA:
        break;
    }
    return "the area below precision over recall (PASCAL VOC 2010 and later)";
}

static void print_class(const map_class *c, const char *name, int iou_index) {
    if (c->counts.truths)
        printf("%-24s %7.4f %11.4f", name, c->ap[iou_index], c->mean_ap);
    else
        printf("%-24s %7s %11s", name, "-", "-");
    printf(" %8zu %7zu %7zu %9.4f %7.4f\n", c->counts.truths, c->counts.true_positives,
           c->counts.false_positives, c->counts.precision, c->counts.recall);
}

static void print_result(const detector *d, const command_options *o, const map_result *r) {
    const map_counts *total = &r->total;
    printf("AP is %s\n", method_name(o->map.method));
    printf("%-24s AP@%.2f AP[.50:.95] %8s %7s %7s %9s %7s\n", "class", o->iou_thresh, "objects",
           "true+", "false+", "precision", "recall");
    for (int i = 0; i < r->n; i++)
        print_class(&r->classes[i], d->names.names[i], o->map.iou_index);
    printf("\nAt score > %g and IoU %.2f: precision %.4f, recall %.4f, F1 %.4f, %zu of %zu objects "
           "found, %zu false detections\n",
           o->thresh, o->iou_thresh, total->precision, total->recall, total->f1,
           total->true_positives, total->truths, total->false_positives);
    printf("mAP@0.50 = %.4f\n", r->map50);
    if (o->map.iou_index)
        printf("mAP@%.2f = %.4f\n", o->iou_thresh, r->map_at[o->map.iou_index]);
    printf("mAP@[.50:.95] = %.4f\n", r->map);
}

static void put_numbers(FILE *out, const double *x, int n) {
    for (int i = 0; i < n; i++)
        fprintf(out, "%s%.9g", i ? ", " : "[", x[i]);
    fputs("]", out);
}

static void put_counts(FILE *out, const map_counts *c) {
    fprintf(out,
            "\"objects\": %zu, \"true_positives\": %zu, \"false_positives\": %zu, "
            "\"precision\": %.9g, \"recall\": %.9g, \"f1\": %.9g",
            c->truths, c->true_positives, c->false_positives, c->precision, c->recall, c->f1);
}

static void put_json(FILE *out, const detector *d, const command_options *o, const map_result *r) {
    fprintf(out, "{\"points\": %d, \"thresh\": %.9g, \"iou_thresh\": %.9g,\n", o->points, o->thresh,
            .5 + .05 * o->map.iou_index);
    fprintf(out, " \"map50\": %.9g, \"map\": %.9g, \"map_at\": ", r->map50, r->map);
    put_numbers(out, r->map_at, MAP_THRESHOLDS);
    fputs(",\n \"total\": {", out);
    put_counts(out, &r->total);
    fputs("},\n \"classes\": [", out);
    for (int i = 0; i < r->n; i++) {
        const map_class *c = &r->classes[i];
        fprintf(out, "%s\n  {\"name\": ", i ? "," : "");
        json_put_string(out, d->names.names[i]);
        fputs(", \"ap\": ", out);
        put_numbers(out, c->ap, MAP_THRESHOLDS);
        fprintf(out, ", \"mean_ap\": %.9g, ", c->mean_ap);
        put_counts(out, &c->counts);
        fputs("}", out);
    }
    fputs("\n ]}\n", out);
}

static gdrq_status write_json(const detector *d, const command_options *o, const map_result *r,
                              gdrq_error *err) {
    memory_file file;
    gdrq_status status = memory_file_open(&file, err);
    if (status != GDRQ_OK)
        return status;
    put_json(file.stream, d, o, r);
    status = memory_file_save(&file, o->json, err);
    memory_file_free(&file);
    return status;
}

static gdrq_status measure(const detector *d, const command_options *o, gdrq_error *err) {
    labelled_images images = {0};
    map_result result = {0};
    const char *valid;
    gdrq_status status = data_cfg_require(&d->data, "valid", &valid, err);
    if (status == GDRQ_OK && o->json)
        status = folder_check_file(o->json, err);
    if (status == GDRQ_OK)
        status = labelled_images_read(valid, d->classes, &images, err);
    if (status == GDRQ_OK)
        status = detector_measure(d->net, &images, d->classes, &o->map, list_progress, NULL,
                                  &result, err);
    if (status == GDRQ_OK)
        print_result(d, o, &result);
    if (status == GDRQ_OK && o->json)
        status = write_json(d, o, &result, err);
    map_result_free(&result);
    labelled_images_free(&images);
    return status;
}

static int run(const arg_operands *operands, const command_options *o) {
    detector d;
    gdrq_error err;
    gdrq_status status =
        detector_open_trained(operands->at[0], operands->at[1], operands->at[2], &d, &err);
    const run_inputs inputs = {
        .files = operands->at, .n = 3, .data = &d.data, .lists = {"valid"}, .task = TASK_DETECT};
    if (status == GDRQ_OK)
        status = output_check(&o->json, 1, &inputs, &err);
    if (status == GDRQ_OK)
        status = measure(&d, o, &err);
    detector_close(&d);
    return status == GDRQ_OK ? 0 : report_error(&err);
}

int cmd_detector_map(int argc, char **argv) {
    command_options o = {.thresh = .25f, .iou_thresh = .5f, .points = MAP_RECALL_POINTS};
    bool no_effect;
    const arg_flag flags[] = {
        {.name = "thresh",
         .value_name = "P",
         .real = &o.thresh,
         .max = 1,
         .help = "score above which a detection counts for precision and recall"},
        {.name = "iou_thresh",
         .value_name = "IOU",
         .real = &o.iou_thresh,
         .min = .5,
         .max = .95,
         .help = "overlap for precision, recall and the AP of classes"},
        {.name = "points",
         .value_name = "N",
         .integer = &o.points,
         .max = MAP_RECALL_POINTS,
         .help = "101: AP as COCO's; 11: VOC 2007's; 0: VOC 2010's, the area"},
        {.name = "json", .value_name = "FILE", .text = &o.json, .help = "write the numbers, too"},
        {.name = "letter_box",
         .on = &no_effect,
         .help = "no effect: pictures always keep their proportions"},
    };
    const arg_spec spec = {
        .command = "detector map",
        .operands = "DATA CFG WEIGHTS",
        .help = "Measures average precision over the valid= list of DATA, with the definitions of\n"
                "COCO's evaluation or of PASCAL VOC's. The last lines are 'mAP@0.50 = X' and\n"
                "'mAP@[.50:.95] = X'.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    if (make_map_options(&o, &err) != GDRQ_OK)
        return report_usage(spec.command, &err);
    return run(&operands, &o);
}
