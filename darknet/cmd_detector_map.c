#include "args.h"
#include "base/status.h"
#include "commands.h"
#include "data/image_list.h"
#include "data/labels.h"
#include "detect.h"
#include "detector.h"
#include "eval/map.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* Upstream's threshold for results that are to be ranked. */
static const float least_score = .005f;

static gdrq_status add_truths(map_eval *eval, int image, const label_list *list, const picture *p,
                              gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < list->n && status == GDRQ_OK; i++) {
        const label *t = &list->labels[i];
        const map_box box = {(t->x - t->w / 2.) * p->w, (t->y - t->h / 2.) * p->h,
                             (double)t->w * p->w, (double)t->h * p->h};
        status = map_add_truth(eval, image, t->class_id, &box, err);
    }
    return status;
}

/* In pixels, cut off at the picture's edges as upstream does for its results. */
static map_box pixel_box(const box *b, const picture *p) {
    const double left = fmax((b->x - b->w / 2.) * p->w, 0),
                 top = fmax((b->y - b->h / 2.) * p->h, 0);
    const double right = fmin((b->x + b->w / 2.) * p->w, p->w);
    const double bottom = fmin((b->y + b->h / 2.) * p->h, p->h);
    return (map_box){left, top, fmax(right - left, 0), fmax(bottom - top, 0)};
}

static gdrq_status add_detections(map_eval *eval, int image, const detections *found, int classes,
                                  const picture *p, gdrq_error *err) {
    for (int i = 0; i < found->n; i++) {
        const detection *d = &found->at[i];
        if (!detection_is_finite(d))
            continue;
        const map_box box = pixel_box(&d->bbox, p);
        for (int class_id = 0; class_id < classes; class_id++) {
            if (!(d->prob[class_id] > 0))
                continue;
            const gdrq_status status =
                map_add_detection(eval, image, class_id, d->prob[class_id], &box, err);
            if (status != GDRQ_OK)
                return status;
        }
    }
    return GDRQ_OK;
}

static gdrq_status add_image(map_eval *eval, const detector *d, int image, const char *path,
                             gdrq_error *err) {
    label_list labels = {0};
    picture p = {0};
    detections found = {0};
    gdrq_status status = labels_read_for(path, d->classes, &labels, err);
    if (status == GDRQ_OK)
        status = picture_load(path, &p, err);
    if (status == GDRQ_OK)
        status = add_truths(eval, image, &labels, &p, err);
    if (status == GDRQ_OK)
        status = detect_picture(d->net, &p, least_score, .5f, &found, err);
    if (status == GDRQ_OK)
        status = add_detections(eval, image, &found, d->classes, &p, err);
    detections_free(&found);
    picture_free(&p);
    labels_free(&labels);
    return status;
}

static void show_progress(int done, int total) {
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%d/%d images%s", done, total, done == total ? "\n" : "");
    else if (done == total || done % 500 == 0)
        fprintf(stderr, "%d/%d images\n", done, total);
}

static gdrq_status add_list(map_eval *eval, const detector *d, const image_list *list,
                            gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < list->n && status == GDRQ_OK; i++) {
        status = add_image(eval, d, i, list->paths[i], err);
        if (status == GDRQ_OK)
            show_progress(i + 1, list->n);
    }
    return status;
}

typedef struct map_options {
    float thresh, iou_thresh;
    int iou_index; /* of iou_thresh among 0.50, 0.55 ... 0.95 */
} map_options;

static gdrq_status find_iou(map_options *o, gdrq_error *err) {
    o->iou_index = (int)lrintf((o->iou_thresh - .5f) * 20);
    if (fabsf(.5f + .05f * o->iou_index - o->iou_thresh) < 1e-4f)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-iou_thresh: %g is not one of 0.50, 0.55 ... 0.95",
                     o->iou_thresh);
}

static double mean_ap(const map_result *r, int iou_index) {
    double sum = 0;
    for (int i = 0; i < r->n; i++)
        if (r->classes[i].ap[iou_index] >= 0)
            sum += r->classes[i].ap[iou_index];
    return r->classes_with_truths ? sum / r->classes_with_truths : -1;
}

static void print_class(const map_class *c, const char *name, int iou_index) {
    if (c->counts.truths)
        printf("%-24s %7.4f %11.4f", name, c->ap[iou_index], c->mean_ap);
    else
        printf("%-24s %7s %11s", name, "-", "-");
    printf(" %8zu %7zu %7zu %9.3f %7.3f\n", c->counts.truths, c->counts.true_positives,
           c->counts.false_positives, c->counts.precision, c->counts.recall);
}

static void print_result(const detector *d, const map_options *o, const map_result *r) {
    const map_counts *total = &r->total;
    printf("%-24s AP@%.2f AP[.50:.95] %8s %7s %7s %9s %7s\n", "class", o->iou_thresh, "objects",
           "true+", "false+", "precision", "recall");
    for (int i = 0; i < r->n; i++)
        print_class(&r->classes[i], d->names.names[i], o->iou_index);
    printf("\nAt score > %g and IoU 0.50: precision %.4f, recall %.4f, F1 %.4f, %zu of %zu objects "
           "found, %zu false detections\n",
           o->thresh, total->precision, total->recall, total->f1, total->true_positives,
           total->truths, total->false_positives);
    printf("mAP@0.50 = %.4f\n", r->map50);
    if (o->iou_index)
        printf("mAP@%.2f = %.4f\n", o->iou_thresh, mean_ap(r, o->iou_index));
    printf("mAP@[.50:.95] = %.4f\n", r->map);
}

static gdrq_status evaluate(const detector *d, const map_options *o, const image_list *list,
                            gdrq_error *err) {
    map_eval *eval = NULL;
    map_result result = {0};
    gdrq_status status = map_begin(d->classes, &eval, err);
    if (status == GDRQ_OK)
        status = add_list(eval, d, list, err);
    if (status == GDRQ_OK)
        status = map_finish(eval, o->thresh, &result, err);
    if (status == GDRQ_OK && !result.classes_with_truths)
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT,
                           "no image of the valid list has an object: mAP is not defined");
    if (status == GDRQ_OK)
        print_result(d, o, &result);
    map_result_free(&result);
    map_free(eval);
    return status;
}

static gdrq_status run(const arg_operands *operands, const map_options *o, gdrq_error *err) {
    detector d;
    image_list list = {0};
    const char *valid;
    gdrq_status status =
        detector_open_trained(operands->at[0], operands->at[1], operands->at[2], &d, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&d.data, "valid", &valid, err);
    if (status == GDRQ_OK)
        status = image_list_read(valid, &list, err);
    if (status == GDRQ_OK)
        status = labels_check_all(&list, d.classes, NULL, NULL, err);
    if (status == GDRQ_OK)
        status = evaluate(&d, o, &list, err);
    image_list_free(&list);
    detector_close(&d);
    return status;
}

int cmd_detector_map(int argc, char **argv) {
    map_options o = {.thresh = .25f, .iou_thresh = .5f};
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
         .help = "overlap at which AP per class is shown"},
        {.name = "dont_show", .on = &no_effect, .help = "no effect: no window is ever opened"},
    };
    const arg_spec spec = {
        .command = "detector map",
        .operands = "DATA CFG WEIGHTS",
        .help = "Measures average precision over the valid= list of DATA, with the definitions of\n"
                "COCO's evaluation.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    if (find_iou(&o, &err) != GDRQ_OK) {
        report("%s: %s", spec.command, err.message);
        return 2;
    }
    return run(&operands, &o, &err) == GDRQ_OK ? 0 : report_error(&err);
}
