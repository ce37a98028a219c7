#include "args.h"
#include "classifier.h"
#include "commands.h"
#include "eval/topk.h"
#include "list_progress.h"
#include "report.h"

#include <limits.h>
#include <stdio.h>

typedef struct valid_options {
    int top;
    bool ext_output;
} valid_options;

/* Upstream counts images from 0. */
static void print_accuracy(const topk_result *r) {
    printf("%d: top 1: %f, top %d: %f\n", r->images - 1, topk_first(r), r->k, topk_among(r));
}

static bool print_image(void *unused, const topk_step *step) {
    (void)unused;
    printf("%s, %d, %f, %f, \n", step->path, step->class_id, step->p[0], step->p[1]);
    if (step->r->images < step->total)
        print_accuracy(step->r);
    return true;
}

static bool show_progress(void *unused, const topk_step *step) {
    return list_progress(unused, step->r->images, step->total);
}

static gdrq_status run(const arg_operands *operands, const valid_options *o, gdrq_error *err) {
    classifier c;
    classified_images images = {0};
    topk_result result = {0};
    int k;
    gdrq_status status =
        classifier_open_trained(operands->at[0], operands->at[1], operands->at[2], &c, err);
    if (status == GDRQ_OK)
        status = classifier_top(&c, o->top, &k, err);
    if (status == GDRQ_OK)
        status = classifier_images(&c, "valid", &images, err);
    if (status == GDRQ_OK)
        status = topk_measure(c.net, &images, k, o->ext_output ? print_image : show_progress, NULL,
                              &result, err);
    if (status == GDRQ_OK)
        print_accuracy(&result);
    classified_images_free(&images);
    classifier_close(&c);
    return status;
}

int cmd_classifier_valid(int argc, char **argv) {
    valid_options o = {0};
    const arg_flag flags[] = {
        {.name = "t",
         .value_name = "N",
         .integer = &o.top,
         .max = INT_MAX,
         .help = "k of top-k; 0: top= of DATA, or 1"},
        {.name = "topk", .value_name = "N", .integer = &o.top, .max = INT_MAX, .help = "the same"},
        {.name = "ext_output",
         .on = &o.ext_output,
         .help = "print upstream's two lines for every image, not for the last one only"},
    };
    const arg_spec spec = {
        .command = "classifier valid",
        .operands = "DATA CFG WEIGHTS",
        .help = "Measures accuracy over the valid= list of DATA; the class of an image is the one "
                "of labels= that its\npath names. Each image's middle is scaled to the network's "
                "input. The last line is upstream's,\n'N: top 1: A, top K: B', where N is the "
                "number of images less 1, and A and B are from 0 to 1.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, &o, &err) == GDRQ_OK ? 0 : report_error(&err);
}
