#include "args.h"
#include "commands.h"
#include "data/folder.h"
#include "inspect/inspect_json.h"
#include "inspect/inspect_pictures.h"
#include "inspect/inspect_table.h"
#include "inspect/inspection.h"
#include "output_check.h"
#include "report.h"

#include <stdio.h>

typedef struct inspect_options {
    const char *before, *out, *json; /* NULL: not given */
} inspect_options;

static gdrq_status check_out(const inspection *in, const char *folder, const run_inputs *named,
                             const run_inputs *pictures, gdrq_error *err) {
    gdrq_status status = inspect_pictures_check(in, folder, named, err);
    if (status == GDRQ_OK)
        status = inspect_pictures_check(in, folder, pictures, err);
    return status == GDRQ_OK ? folder_prepare(folder, "folder for pictures", err) : status;
}

static gdrq_status check_json(const inspection *in, const inspect_options *o,
                              const run_inputs *named, const run_inputs *pictures,
                              gdrq_error *err) {
    gdrq_status status = folder_check_output(o->json, named->files, named->n, err);
    if (status == GDRQ_OK)
        status = output_check(&o->json, 1, pictures, err);
    return status == GDRQ_OK && o->out ? inspect_pictures_check_output(in, o->out, o->json, err)
                                       : status;
}

/* The folder first, in which the numbers may be wanted, too. */
static gdrq_status check_outputs(const inspection *in, const inspect_options *o,
                                 const picture_paths *paths, gdrq_error *err) {
    const char *files[] = {in->cfg, in->weights, in->images, in->before};
    const run_inputs named = {.files = files, .n = 4};
    const run_inputs pictures = {.files = (const char *const *)paths->at, .n = paths->n};
    const gdrq_status status = o->out ? check_out(in, o->out, &named, &pictures, err) : GDRQ_OK;
    return status == GDRQ_OK && o->json ? check_json(in, o, &named, &pictures, err) : status;
}

static gdrq_status write_outputs(const inspection *in, const inspect_options *o, gdrq_error *err) {
    gdrq_status status = o->json ? inspect_json_save(in, o->json, err) : GDRQ_OK;
    if (status != GDRQ_OK || !o->out)
        return status;
    status = inspect_pictures_save(in, o->out, err);
    if (status == GDRQ_OK)
        printf("\nWrote %s/overview.png, and a picture per layer beside it\n", o->out);
    return status;
}

static gdrq_status run(const arg_operands *operands, const inspect_options *o, gdrq_error *err) {
    inspection in = {.cfg = operands->at[0],
                     .weights = operands->at[1],
                     .images = operands->at[2],
                     .before = o->before};
    picture_paths paths = {0};
    gdrq_status status = in.images ? picture_paths_find(in.images, &paths, err) : GDRQ_OK;
    if (status == GDRQ_OK)
        status = inspection_open(&in, err);
    if (status == GDRQ_OK)
        status = check_outputs(&in, o, &paths, err);
    if (status == GDRQ_OK)
        status = inspection_run(&in, &paths, err);
    if (status == GDRQ_OK) {
        inspect_table_print(&in);
        status = write_outputs(&in, o, err);
    }
    inspection_free(&in);
    picture_paths_free(&paths);
    return status;
}

int cmd_gdrq_inspect(int argc, char **argv) {
    inspect_options o = {0};
    const arg_flag flags[] = {
        {.name = "out",
         .value_name = "FOLDER",
         .text = &o.out,
         .help = "draw a picture per layer and overview.png there"},
        {.name = "before",
         .value_name = "WEIGHTS",
         .text = &o.before,
         .help = "weights before training, to compare with them and with their inputs"},
        {.name = "json", .value_name = "FILE", .text = &o.json, .help = "write the numbers, too"},
    };
    const arg_spec spec = {
        .command = "gdrq inspect",
        .operands = "CFG WEIGHTS [IMAGES]",
        .help =
            "Shows what quantising does to the weights of each layer and, with IMAGES (one, a\n"
            "folder of them, or a file that lists them), to its input activations: the threshold\n"
            "T, the loss |W-Q(W)|/|W|, what is clipped, how many codes occur, and how far the\n"
            "codes are from uniform: half the sum of |share of a code - 1/codes|, from 0 (all\n"
            "are as frequent) to 1.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, &o, &err) == GDRQ_OK ? 0 : report_error(&err);
}
