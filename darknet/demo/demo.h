/* The work of the demos of detectors, classifiers and segmenters, behind their flags. */
#ifndef DARKNET_DEMO_DEMO_H
#define DARKNET_DEMO_DEMO_H

#include "demo/options.h"
#include "demo/task.h"

/*
 * Runs until the source ends, the time limit, a key or a signal. The task, which is freed, must be
 * ready. Returns the exit status; errors are reported.
 */
int demo_run(const demo_options *options, demo_task *task);

/* Of the files DATA, CFG and WEIGHTS. */
typedef gdrq_status demo_open_task(const char *const *files, const demo_options *o,
                                   demo_task **task, gdrq_error *err);

typedef struct demo_verb {
    const char *name, *help;
    arg_flag flag; /* that this verb alone has */
    const arg_refusal *refused;
    int n_refused;
    demo_open_task *open;
} demo_verb;

/* What all commands share: reading their flags into *o, which has the defaults, checking them,
   opening the task, the run. Returns the exit status. */
int demo_command(const demo_verb *verb, demo_options *o, int argc, char **argv);

#endif
