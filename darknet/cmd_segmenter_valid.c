#include "args.h"
#include "base/status.h"
#include "commands.h"
#include "data/folder.h"
#include "eval/miou.h"
#include "list_progress.h"
#include "output_check.h"
#include "report.h"
#include "results/confusion_table.h"
#include "segmenter.h"

#include <math.h>
#include <stdio.h>

static void print_classes(const segmenter *s, const confusion *c) {
    for (int i = 0; i < c->classes; i++) {
        char number[SEGMENTER_NUMBER_SIZE];
        const double iou = confusion_iou(c, i);
        printf("class_id = %d, name = %s, IoU = ", i, segmenter_name(s, i, number));
        printf(isnan(iou) ? "-" : "%.4f", iou);
        printf(", pixels = %llu, found = %llu\n", (unsigned long long)confusion_true_pixels(c, i),
               (unsigned long long)confusion_found_pixels(c, i));
    }
}

static void print_means(const confusion *c, int images) {
    const int measured = confusion_measured_classes(c);
    printf("\n%d images: mean IoU = %.4f", images, confusion_mean_iou(c));
    if (measured < c->classes)
        printf(" of %d of %d classes", measured, c->classes);
    printf(", pixel accuracy = %.4f, class accuracy = %.4f\n", confusion_pixel_accuracy(c),
           confusion_class_accuracy(c));
}

static gdrq_status show(const segmenter *s, const confusion *c, int images, const char *out,
                        gdrq_error *err) {
    const char *const *names = (const char *const *)s->names.names;
    print_classes(s, c);
    putchar('\n');
    confusion_print(c, names, stdout);
    print_means(c, images);
    return out ? confusion_draw(c, names, out, err) : GDRQ_OK;
}

static gdrq_status check_out(const char *out, gdrq_error *err) {
    if (!out)
        return GDRQ_OK;
    if (!picture_can_save(out))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-out: the name '%s' must end in .jpg or .png",
                         out);
    return folder_check_file(out, err);
}

static gdrq_status check_replaced(const char *out, const arg_operands *operands,
                                  const data_cfg *data, gdrq_error *err) {
    const run_inputs inputs = {
        .files = operands->at, .n = 3, .data = data, .lists = {"valid"}, .task = TASK_SEGMENT};
    return output_check(&out, 1, &inputs, err);
}

static gdrq_status run(const arg_operands *operands, const char *out, gdrq_error *err) {
    segmenter s = {0};
    image_list images = {0};
    confusion counts = {0};
    gdrq_status status = check_out(out, err);
    if (status == GDRQ_OK)
        status = segmenter_open_trained(operands->at[0], operands->at[1], operands->at[2], &s, err);
    if (status == GDRQ_OK)
        status = check_replaced(out, operands, &s.data, err);
    if (status == GDRQ_OK)
        status = segmenter_images(&s, "valid", &images, err);
    if (status == GDRQ_OK)
        status = miou_measure(s.net, &images, &s.rules, list_progress, NULL, &counts, err);
    if (status == GDRQ_OK)
        status = show(&s, &counts, images.n, out, err);
    confusion_free(&counts);
    image_list_free(&images);
    segmenter_close(&s);
    return status;
}

int cmd_segmenter_valid(int argc, char **argv) {
    const char *out = NULL;
    const arg_flag flags[] = {
        {.name = "out",
         .value_name = "FILE",
         .text = &out,
         .help = "draw the confusion matrix, too: a .png or .jpg"},
    };
    const arg_spec spec = {
        .command = "segmenter valid",
        .operands = "DATA CFG WEIGHTS",
        .help = "Measures intersection over union (IoU) of each class over the valid= list of "
                "DATA, pixel by pixel at the\npictures' own size, and shows for which classes each "
                "is taken. Void pixels don't count. The last line has\nthe mean IoU of the classes "
                "that occur or were found, the share of pixels found rightly, and the mean of\nthe "
                "classes' own shares, from 0 to 1.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, out, &err) == GDRQ_OK ? 0 : report_error(&err);
}
