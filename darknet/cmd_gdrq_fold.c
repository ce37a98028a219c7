#include "args.h"
#include "commands.h"
#include "data/folder.h"
#include "report.h"
#include "suggest.h"

#include <stdio.h>
#include <sys/stat.h>

static double megabytes(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (double)st.st_size / 1e6 : 0;
}

static gdrq_status run(const arg_operands *operands, gdrq_error *err) {
    const char *weights = operands->at[1], *out_cfg = operands->at[2], *out = operands->at[3];
    gdrq_status status = folder_check_file(out_cfg, err);
    if (status == GDRQ_OK)
        status = folder_check_file(out, err);
    if (status == GDRQ_OK)
        status = gdrq_fold(operands->at[0], weights, out_cfg, out, report_note, NULL, err);
    if (status != GDRQ_OK)
        return status;
    printf("Wrote %s and %s: %.2f MB instead of %.2f MB\n", out_cfg, out, megabytes(out),
           megabytes(weights));
    const char *words[] = {operands->at[0], weights, out_cfg, out, "IMAGES"};
    suggest("compare", "gdrq verify", words, 5);
    return GDRQ_OK;
}

int cmd_gdrq_fold(int argc, char **argv) {
    const arg_spec spec = {
        .command = "gdrq fold",
        .operands = "CFG WEIGHTS OUT.cfg OUT.weights",
        .help =
            "Folds a trained network with gdrq layers for deployment: integer weights packed at\n"
            "their width, batch norm and steps merged into a scale and bias per filter. OUT.cfg\n"
            "and OUT.weights belong together and run with every command but train."};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, &err) == GDRQ_OK ? 0 : report_error(&err);
}
