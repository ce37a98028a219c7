#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "commands.h"
#include "data/folder.h"
#include "each_picture.h"
#include "image/overlay.h"
#include "image/picture_paths.h"
#include "output_check.h"
#include "output_name.h"
#include "prompt.h"
#include "report.h"
#include "results/print_shares.h"
#include "segment.h"
#include "segmenter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is written for a picture: the classes drawn over it, and their numbers. */
enum { OVERLAY, INDEX, OUTPUTS };

typedef struct tester {
    segmenter s;
    const char *out; /* name of the overlay */
    float opacity;
    char **names; /* OUTPUTS of each picture; of those asked for at the prompt, the same for all */
    int n_names;
    int begun; /* names used so far */
} tester;

/* Beside an overlay: NAME_classes.png. */
static char *index_name(const char *overlay) {
    const size_t size = strlen(overlay) + 16;
    char *made = gdrq_alloc(size, 1);
    if (made)
        snprintf(made, size, "%.*s_classes.png", (int)(strrchr(overlay, '.') - overlay), overlay);
    return made;
}

/* OUT, or with a list of pictures OUT_NUMBER_NAME. */
static bool name_outputs(tester *t, const picture_paths *paths, bool numbered) {
    const char *extension = strrchr(t->out, '.');
    const int digits = snprintf(NULL, 0, "%d", paths->n);
    const int pictures = paths->n ? paths->n : 1;
    t->n_names = OUTPUTS * pictures;
    t->names = gdrq_alloc((size_t)t->n_names, sizeof *t->names);
    for (int i = 0; t->names && i < pictures; i++) {
        char **names = t->names + OUTPUTS * i;
        names[OVERLAY] = numbered ? output_name_numbered(t->out, (int)(extension - t->out), digits,
                                                         i + 1, paths->at[i], extension)
                                  : gdrq_strdup(t->out);
        names[INDEX] = names[OVERLAY] ? index_name(names[OVERLAY]) : NULL;
        if (!names[INDEX])
            return false;
    }
    return t->names;
}

static void free_names(tester *t) {
    for (int i = 0; t->names && i < t->n_names; i++)
        free(t->names[i]);
    free(t->names);
}

/* None of what is written for any picture may be one of these files, or one that DATA names. */
static gdrq_status check_inputs(const tester *t, const char *const *files, int n, gdrq_error *err) {
    const run_inputs inputs = {.files = files, .n = n, .data = &t->s.data};
    return output_check((const char *const *)t->names, t->n_names, &inputs, err);
}

static gdrq_status check_outputs(const tester *t, const arg_operands *operands,
                                 const picture_paths *paths, gdrq_error *err) {
    gdrq_status status = folder_check_file(t->names[OVERLAY], err);
    if (status == GDRQ_OK)
        status = folder_check_file(t->names[INDEX], err);
    if (status == GDRQ_OK)
        status = check_inputs(t, operands->at, 3, err);
    return status == GDRQ_OK ? check_inputs(t, (const char *const *)paths->at, paths->n, err)
                             : status;
}

static gdrq_status save(const tester *t, char *const *names, picture *p, const index_picture *found,
                        gdrq_error *err) {
    const gdrq_status status = index_png_save(found, &t->s.colours, names[INDEX], err);
    if (status != GDRQ_OK)
        return status;
    overlay_draw(p, found->at, &t->s.colours, t->opacity, -1);
    return picture_save(p, names[OVERLAY], err);
}

static gdrq_status test_picture(const tester *t, const char *path, char *const *names, picture *p,
                                gdrq_error *err) {
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

static gdrq_status test_file(void *user, const char *path, bool *unreadable, gdrq_error *err) {
    tester *t = user;
    char *const *names = t->names + t->begun % t->n_names;
    picture p;
    t->begun += OUTPUTS;
    gdrq_status status = picture_load(path, &p, err);
    *unreadable = status != GDRQ_OK;
    if (status == GDRQ_OK)
        status = test_picture(t, path, names, &p, err);
    picture_free(&p);
    return status;
}

static gdrq_status test_named(void *user, const char *path, gdrq_error *err) {
    bool unreadable;
    const gdrq_status status = check_inputs(user, &path, 1, err);
    return status == GDRQ_OK ? test_file(user, path, &unreadable, err) : status;
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
    const bool numbered = image && (paths.n != 1 || strcmp(paths.at[0], image) != 0);
    if (status == GDRQ_OK)
        status =
            segmenter_open_trained(operands->at[0], operands->at[1], operands->at[2], &t->s, err);
    if (status == GDRQ_OK && !name_outputs(t, &paths, numbered))
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", t->out);
    if (status == GDRQ_OK)
        status = check_outputs(t, operands, &paths, err);
    if (status == GDRQ_OK)
        status =
            image ? each_picture(&paths, test_file, t, err) : prompt_for_images(test_named, t, err);
    free_names(t);
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
         .help = "the overlay, a .png or .jpg"},
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
