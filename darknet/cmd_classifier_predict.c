#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "classifier.h"
#include "commands.h"
#include "detect.h"
#include "prompt.h"
#include "report.h"
#include "stock_path.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Upstream's for the shortcut `darknet classify`. */
static const char shortcut_data[] = "cfg/imagenet1k.data";
enum { SHORTCUT_TOP = 5 };

typedef struct predictor {
    classifier c;
    class_names names;
    int top;
    int *indexes; /* of the likeliest classes, `top` of them */
} predictor;

static void print_classes(const predictor *p) {
    network *net = p->c.net;
    if (net->hierarchy)
        hierarchy_predictions(net->output, net->outputs, net->hierarchy, 1, 1);
    top_k(net->output, net->outputs, p->top, p->indexes);
    for (int i = 0; i < p->top; i++)
        printf("%5.2f%%: %s\n", net->output[p->indexes[i]] * 100, p->names.names[p->indexes[i]]);
    fflush(stdout);
}

static gdrq_status predict_file(void *user, const char *path, gdrq_error *err) {
    const predictor *p = user;
    picture image;
    double seconds = 0;
    gdrq_status status = picture_load(path, &image, err);
    if (status == GDRQ_OK)
        status = predict_picture(p->c.net, &image, &seconds, err);
    picture_free(&image);
    if (status != GDRQ_OK)
        return status;
    for (int i = 0; i < p->c.classes; i++)
        if (!isfinite(p->c.net->output[i]))
            return gdrq_fail(err, GDRQ_ERROR_STATE,
                             "%.900s: the network's output for this image is not finite", path);
    fprintf(stderr, "%s: Predicted in %f seconds.\n", path, seconds);
    print_classes(p);
    return GDRQ_OK;
}

static gdrq_status open_predictor(const char *data_path, const char *cfg_path,
                                  const char *weights_path, int top, predictor *p,
                                  gdrq_error *err) {
    gdrq_status status = classifier_open_trained(data_path, cfg_path, weights_path, &p->c, err);
    if (status == GDRQ_OK)
        status = classifier_names(&p->c, &p->names, err);
    if (status == GDRQ_OK)
        status = classifier_top(&p->c, top, &p->top, err);
    if (status != GDRQ_OK)
        return status;
    p->indexes = gdrq_alloc((size_t)p->top, sizeof *p->indexes);
    return p->indexes ? GDRQ_OK : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
}

/* `image` is NULL: asks for images. */
static int run(const char *data_path, const char *cfg_path, const char *weights_path,
               const char *image, int top) {
    gdrq_error err;
    predictor p = {0};
    gdrq_status status = open_predictor(data_path, cfg_path, weights_path, top, &p, &err);
    if (status == GDRQ_OK && image)
        status = predict_file(&p, image, &err);
    else if (status == GDRQ_OK)
        status = prompt_for_images(predict_file, &p, &err);
    free(p.indexes);
    class_names_free(&p.names);
    classifier_close(&p.c);
    return status == GDRQ_OK ? 0 : report_error(&err);
}

static arg_flag top_flag(int *top, const char *help) {
    return (arg_flag){
        .name = "t", .value_name = "N", .integer = top, .min = 0, .max = INT_MAX, .help = help};
}

int cmd_classifier_predict(int argc, char **argv) {
    int top = 0;
    const arg_flag flags[] = {
        top_flag(&top, "how many classes to tell; 0: top= of DATA, or 1"),
    };
    const arg_spec spec = {
        .command = "classifier predict",
        .operands = "DATA CFG WEIGHTS [IMAGE]",
        .help = "Tells the likeliest classes of an image, one line 'PP.PP%: NAME' each, with the "
                "names= (or labels=) of\nDATA. The whole image is fitted into the network's input, "
                "as upstream does here. Without IMAGE it asks\nfor images until the input ends.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    return run(operands.at[0], operands.at[1], operands.at[2], operands.at[3], top);
}

int cmd_classify(int argc, char **argv) {
    int top = SHORTCUT_TOP;
    const arg_flag flags[] = {top_flag(&top, "how many classes to tell; 0: top= of the data file")};
    const arg_spec spec = {
        .command = "classify",
        .operands = "CFG WEIGHTS [IMAGE]",
        .help = "classifier predict with cfg/imagenet1k.data and its names; where they are not "
                "there, those of\n/usr/share/darknet.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    char *data = stock_path(shortcut_data);
    if (!data) {
        report("out of memory");
        return 1;
    }
    const int status = run(data, operands.at[0], operands.at[1], operands.at[2], top);
    free(data);
    return status;
}
