#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "commands.h"
#include "data/folder.h"
#include "image/overlay.h"
#include "image/picture_paths.h"
#include "output_name.h"
#include "prompt.h"
#include "report.h"
#include "results/print_shares.h"
#include "segment.h"
#include "segmenter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tester {
    segmenter s;
    const char *out; /* name of the overlay */
    float opacity;
    bool numbered;    /* pictures have numbers and names of their own */
    int done, digits; /* pictures begun; of their number */
} tester;

/* The overlay's name for a picture, allocated. */
static char *overlay_name(const tester *t, const char *path) {
    const char *extension = strrchr(t->out, '.');
    return t->numbered ? output_name_numbered(t->out, (int)(extension - t->out), t->digits, t->done,
                                              path, extension)
                       : gdrq_strdup(t->out);
}

/* Beside an overlay: NAME_classes.png. */
static char *index_name(const char *overlay) {
    const size_t size = strlen(overlay) + 16;
    char *made = gdrq_alloc(size, 1);
    if (made)
        snprintf(made, size, "%.*s_classes.png", (int)(strrchr(overlay, '.') - overlay), overlay);
    return made;
}

typedef struct output_names {
    char *overlay, *index;
} output_names;

/* They must not be the picture itself. */
static gdrq_status name_outputs(const tester *t, const char *path, output_names *names,
                                gdrq_error *err) {
    names->overlay = overlay_name(t, path);
    names->index = names->overlay ? index_name(names->overlay) : NULL;
    if (!names->index)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    const gdrq_status status = folder_check_output(names->overlay, &path, 1, err);
    return status == GDRQ_OK ? folder_check_output(names->index, &path, 1, err) : status;
}

static gdrq_status save(const tester *t, const output_names *names, picture *p,
                        const index_picture *found, gdrq_error *err) {
    const gdrq_status status = index_png_save(found, &t->s.colours, names->index, err);
    if (status != GDRQ_OK)
        return status;
    overlay_draw(p, found->at, &t->s.colours, t->opacity, -1);
    return picture_save(p, names->overlay, err);
}

static gdrq_status test_picture(const tester *t, const char *path, const output_names *names,
                                picture *p, gdrq_error *err) {
    index_picture found;
    double seconds = 0;
    gdrq_status status = index_picture_make(p->w, p->h, &found, err);
    if (status == GDRQ_OK)
        status = segment_picture(t->s.net, path, p, found.at, &seconds, err);
    if (status == GDRQ_OK) {
        printf("%s: Predicted in %f seconds.\n", path, seconds);
        const pixel_shares shares = pixel_shares_of(found.at, (size_t)found.w * (size_t)found.h);
        shares_print(&shares, &t->s, stdout);
        fflush(stdout);
        status = save(t, names, p, &found, err);
    }
    index_picture_free(&found);
    return status;
}

static gdrq_status test_file(void *user, const char *path, gdrq_error *err) {
    tester *t = user;
    picture p = {0};
    output_names names = {0};
    t->done++;
    gdrq_status status = name_outputs(t, path, &names, err);
    if (status == GDRQ_OK)
        status = picture_load(path, &p, err);
    if (status == GDRQ_OK)
        status = test_picture(t, path, &names, &p, err);
    picture_free(&p);
    free(names.overlay);
    free(names.index);
    return status;
}

static gdrq_status run(const arg_operands *operands, tester *t, gdrq_error *err) {
    const char *image = operands->at[3];
    picture_paths paths = {0};
    gdrq_status status = GDRQ_OK;
    if (!picture_can_save(t->out))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-out: the name '%s' must end in .jpg or .png",
                         t->out);
    if (image)
        status = picture_paths_find(image, &paths, err);
    t->numbered = image && (paths.n != 1 || strcmp(paths.at[0], image) != 0);
    t->digits = snprintf(NULL, 0, "%d", paths.n);
    if (status == GDRQ_OK)
        status =
            segmenter_open_trained(operands->at[0], operands->at[1], operands->at[2], &t->s, err);
    if (status == GDRQ_OK && !image)
        status = prompt_for_images(test_file, t, err);
    for (int i = 0; i < paths.n && status == GDRQ_OK; i++)
        status = test_file(t, paths.at[i], err);
    segmenter_close(&t->s);
    picture_paths_free(&paths);
    return status;
}

int cmd_segmenter_test(int argc, char **argv) {
    tester t = {.out = "predictions.png"};
    const arg_flag flags[] = {
        {.name = "out",
         .value_name = "FILE",
         .text = &t.out,
         .help = "the overlay, a .png or .jpg (predictions.png)"},
        segmenter_opacity_flag(&t.opacity),
    };
    const arg_spec spec = {
        .command = "segmenter test",
        .operands = "DATA CFG WEIGHTS [IMAGE]",
        .help = "Finds the class of every pixel, tells how much of the picture each has, and draws "
                "them over it in the\ncolours of palette=. OUT_classes.png holds the classes' "
                "numbers, with the same palette. IMAGE is a\npicture, a folder of them or a file "
                "that lists them: of several, each is drawn to OUT_NUMBER_NAME.png.\nWithout it, "
                "names are asked for until the input ends.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, &t, &err) == GDRQ_OK ? 0 : report_error(&err);
}
