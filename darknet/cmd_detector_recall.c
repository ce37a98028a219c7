#include "args.h"
#include "commands.h"
#include "data/labelled_images.h"
#include "detect.h"
#include "detector.h"
#include "report.h"

#include <stdio.h>

static const float objectness_nms = .4f; /* upstream's */

typedef struct recall_options {
    float thresh, iou_thresh;
} recall_options;

/* Over all images so far. */
typedef struct recall_sums {
    int images, objects, found;
    size_t proposals;
    double iou; /* sum over the objects of the best proposal's */
} recall_sums;

static bool is_proposal(const detection *d, float thresh) {
    return d->objectness > thresh && detection_is_finite(d);
}

static float best_iou(const label *object, const detections *found, float thresh) {
    const box truth = {object->x, object->y, object->w, object->h};
    float best = 0;
    for (int i = 0; i < found->n; i++) {
        const detection *d = &found->at[i];
        const float iou = is_proposal(d, thresh) ? box_iou(d->bbox, truth) : 0;
        if (iou > best)
            best = iou;
    }
    return best;
}

static void add_to_sums(recall_sums *sums, const recall_options *o, const label_list *labels,
                        const detections *found) {
    sums->images++;
    for (int i = 0; i < found->n; i++)
        sums->proposals += is_proposal(&found->at[i], o->thresh);
    for (int i = 0; i < labels->n; i++) {
        const float iou = best_iou(&labels->labels[i], found, o->thresh);
        sums->objects++;
        sums->iou += iou;
        sums->found += iou > o->iou_thresh;
    }
}

static void print_sums(const recall_sums *s) {
    const double objects = s->objects ? s->objects : 1;
    printf("%5d %5d %5d\tRPs/Img: %.2f\tIOU: %.2f%%\tRecall:%.2f%%\n", s->images - 1, s->found,
           s->objects, (double)s->proposals / s->images, 100 * s->iou / objects,
           100. * s->found / objects);
    fflush(stdout);
}

static gdrq_status measure_image(const detector *d, const recall_options *o, const char *path,
                                 const label_list *labels, recall_sums *sums, gdrq_error *err) {
    const detect_options options = {
        .boxes = {.thresh = o->thresh, .hier = .5f, .nms = objectness_nms, .nms_objectness = true}};
    picture p;
    detections found = {0};
    gdrq_status status = picture_load(path, &p, err);
    if (status == GDRQ_OK)
        status = detect_with(d->net, &p, &options, &found, err);
    if (status == GDRQ_OK) {
        add_to_sums(sums, o, labels, &found);
        print_sums(sums);
    }
    detections_free(&found);
    picture_free(&p);
    return status;
}

static gdrq_status measure(const detector *d, const recall_options *o, gdrq_error *err) {
    labelled_images images = {0};
    recall_sums sums = {0};
    const char *valid;
    gdrq_status status = data_cfg_require(&d->data, "valid", &valid, err);
    if (status == GDRQ_OK)
        status = labelled_images_read(valid, d->classes, &images, err);
    for (int i = 0; i < images.list.n && status == GDRQ_OK; i++)
        status = measure_image(d, o, images.list.paths[i], &images.labels[i], &sums, err);
    labelled_images_free(&images);
    return status;
}

static int run(const arg_operands *operands, const recall_options *o) {
    gdrq_error err;
    detector d;
    gdrq_status status =
        detector_open_trained(operands->at[0], operands->at[1], operands->at[2], &d, &err);
    if (status == GDRQ_OK)
        status = measure(&d, o, &err);
    detector_close(&d);
    return status == GDRQ_OK ? 0 : report_error(&err);
}

int cmd_detector_recall(int argc, char **argv) {
    recall_options o = {.thresh = .001f, .iou_thresh = .5f};
    bool no_effect;
    const arg_flag flags[] = {
        {.name = "thresh",
         .value_name = "P",
         .real = &o.thresh,
         .max = 1,
         .help = "objectness above which a box is a proposal"},
        {.name = "iou_thresh",
         .value_name = "IOU",
         .real = &o.iou_thresh,
         .max = 1,
         .help = "overlap above which an object is found"},
        {.name = "letter_box",
         .on = &no_effect,
         .help = "no effect: pictures always keep their proportions"},
    };
    const arg_spec spec = {
        .command = "detector recall",
        .operands = "DATA CFG WEIGHTS",
        .help =
            "Measures how many objects of DATA's valid= list any box covers, whatever its class.\n"
            "Each image adds a line on standard output: its number from 0, objects found so far,\n"
            "objects so far, proposals per image, mean overlap of the best proposal, recall.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    return done >= 0 ? done : run(&operands, &o);
}
