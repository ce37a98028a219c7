/* Whether what a command is to write would replace a file that it reads. */
#ifndef DARKNET_OUTPUT_CHECK_H
#define DARKNET_OUTPUT_CHECK_H

#include "data/data_cfg.h"
#include "task.h"

/* All that a run reads. What is not set is not read. */
typedef struct run_inputs {
    const char *const *files; /* of which some may be NULL */
    int n;
    const data_cfg *data; /* with the files that it names: lists, names, palette */
    const char *lists[2]; /* its keys of lists of which all images are read, */
    task task;            /* with the labels or masks that this task has */
} run_inputs;

/*
 * None of the n outputs, of which some may be NULL, may be one of the inputs, by whatever path or
 * link. The error names the input. Outputs that don't exist yet replace nothing and cost nothing.
 */
gdrq_status output_check(const char *const *outputs, int n, const run_inputs *inputs,
                         gdrq_error *err);

/* None of the n outputs, of which some may be NULL, may be another one of them. */
gdrq_status output_check_apart(const char *const *outputs, int n, gdrq_error *err);

/*
 * output_check() for what a .data file names, before anything else has read it; `list` may be NULL.
 */
gdrq_status output_check_data_file(const char *const *outputs, int n, const char *data_path,
                                   const char *list, task task, gdrq_error *err);

#endif
