#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "commands.h"
#include "detect.h"
#include "detector.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_options {
    float thresh, hier;
    const char *out;
    bool ext_output;
} test_options;

static void print_score(const detection *d, int class_id, const char *name, const picture *p,
                        bool with_box) {
    printf("%s: %.0f%%", name, d->prob[class_id] * 100);
    if (with_box)
        printf("\t(left_x: %4.0f   top_y: %4.0f   width: %4.0f   height: %4.0f)",
               (d->bbox.x - d->bbox.w / 2) * p->w, (d->bbox.y - d->bbox.h / 2) * p->h,
               d->bbox.w * p->w, d->bbox.h * p->h);
    putchar('\n');
}

/* The names of all classes above the threshold, "dog, wolf"; *best is the likeliest, or -1. */
static gdrq_status make_label(const detector *d, const detection *found, float thresh, char **text,
                              int *best, gdrq_error *err) {
    size_t size = 1;
    *best = -1;
    for (int i = 0; i < d->classes; i++)
        if (found->prob[i] > thresh) {
            size += strlen(d->names.names[i]) + 2;
            if (*best < 0 || found->prob[i] > found->prob[*best])
                *best = i;
        }
    char *end = *text = gdrq_alloc(size, 1);
    if (!end)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a label");
    for (int i = 0; i < d->classes; i++)
        if (found->prob[i] > thresh)
            end += sprintf(end, "%s%s", end > *text ? ", " : "", d->names.names[i]);
    return GDRQ_OK;
}

/* Prints the classes of one box and draws it. */
static gdrq_status show_detection(const detector *d, const test_options *o, const detection *found,
                                  picture *p, gdrq_error *err) {
    char *label;
    int best;
    gdrq_status status = make_label(d, found, o->thresh, &label, &best, err);
    if (status != GDRQ_OK || best < 0) {
        free(label);
        return status;
    }
    for (int i = 0; i < d->classes; i++)
        if (found->prob[i] > o->thresh)
            print_score(found, i, d->names.names[i], p, o->ext_output);
    const box b = found->bbox;
    status = picture_draw_box(p, (b.x - b.w / 2) * p->w, (b.y - b.h / 2) * p->h,
                              (b.x + b.w / 2) * p->w, (b.y + b.h / 2) * p->h, best, label, err);
    free(label);
    return status;
}

static gdrq_status test_picture(const detector *d, const test_options *o, const char *path,
                                picture *p, gdrq_error *err) {
    detections found;
    gdrq_status status = detect_picture(d->net, p, o->thresh, o->hier, &found, err);
    if (status != GDRQ_OK)
        return status;
    printf("%s: Predicted in %f seconds.\n", path, found.seconds);
    for (int i = 0; i < found.n && status == GDRQ_OK; i++)
        if (detection_is_finite(&found.at[i]))
            status = show_detection(d, o, &found.at[i], p, err);
    detections_free(&found);
    if (status == GDRQ_OK)
        status = picture_save(p, o->out, err);
    fflush(stdout);
    return status;
}

static gdrq_status test_file(const detector *d, const test_options *o, const char *path,
                             gdrq_error *err) {
    picture p;
    gdrq_status status = picture_load(path, &p, err);
    if (status == GDRQ_OK)
        status = test_picture(d, o, path, &p, err);
    picture_free(&p);
    return status;
}

/* As upstream: asks until the input ends. A bad image is no reason to stop. */
static int test_from_stdin(const detector *d, const test_options *o) {
    char *line = NULL;
    size_t size = 0;
    gdrq_error err;
    for (;;) {
        printf("Enter Image Path: ");
        fflush(stdout);
        if (getline(&line, &size, stdin) < 0)
            break;
        line[strcspn(line, "\r\n")] = '\0';
        if (*line && test_file(d, o, line, &err) != GDRQ_OK)
            report_error(&err);
    }
    putchar('\n');
    free(line);
    return 0;
}

/* The name to write to, allocated: upstream appends .jpg, which we do where no known one is. */
static char *output_name(const char *wanted) {
    const size_t size = strlen(wanted) + sizeof ".jpg";
    char *name = gdrq_alloc(size, 1);
    if (name)
        snprintf(name, size, "%s%s", wanted, picture_can_save(wanted) ? "" : ".jpg");
    return name;
}

static int run(const arg_operands *operands, test_options *o) {
    gdrq_error err;
    detector d;
    char *out = output_name(o->out);
    o->out = out;
    if (!out) {
        gdrq_fail(&err, GDRQ_ERROR_MEMORY, "out of memory");
        return report_error(&err);
    }
    int exit_status = 0;
    if (detector_open_trained(operands->at[0], operands->at[1], operands->at[2], &d, &err) !=
        GDRQ_OK)
        exit_status = report_error(&err);
    else if (!operands->at[3])
        exit_status = test_from_stdin(&d, o);
    else if (test_file(&d, o, operands->at[3], &err) != GDRQ_OK)
        exit_status = report_error(&err);
    detector_close(&d);
    free(out);
    return exit_status;
}

int cmd_detector_test(int argc, char **argv) {
    test_options o = {.thresh = .5f, .hier = .5f, .out = "predictions"};
    bool no_effect;
    const arg_flag flags[] = {
        {.name = "thresh",
         .value_name = "P",
         .real = &o.thresh,
         .max = 1,
         .help = "score above which an object is shown"},
        {.name = "hier",
         .value_name = "P",
         .real = &o.hier,
         .max = 1,
         .help = "the same for going down a tree of classes"},
        {.name = "out",
         .value_name = "FILE",
         .text = &o.out,
         .help = "the picture to write, .jpg or .png"},
        {.name = "ext_output", .on = &o.ext_output, .help = "print boxes, too, in pixels"},
        {.name = "dont_show", .on = &no_effect, .help = "no effect: no window is ever opened"},
        {.name = "fullscreen", .on = &no_effect, .help = "no effect, likewise"},
    };
    const arg_spec spec = {
        .command = "detector test",
        .operands = "DATA CFG WEIGHTS [IMAGE]",
        .help = "Detects objects in an image, prints them and writes the image with their boxes.\n"
                "Without IMAGE it asks for images until the input ends.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    return done >= 0 ? done : run(&operands, &o);
}
