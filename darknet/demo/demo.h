/* The work of `darknet detector demo` and `darknet classifier demo`, behind their flags. */
#ifndef DARKNET_DEMO_DEMO_H
#define DARKNET_DEMO_DEMO_H

#include "demo/options.h"
#include "demo/task.h"

/*
 * Runs until the source ends, the time limit, a key or a signal. The task, which is freed, must be
 * ready. Returns the exit status; errors are reported.
 */
int demo_run(const demo_options *options, demo_task *task);

/* What the two commands share: reading their flags, checking them, opening the task, the run. */
typedef gdrq_status demo_open_task(const char *const *files, const demo_options *o,
                                   demo_task **task, gdrq_error *err);
int demo_command(const char *name, const char *help, float thresh, const arg_flag *more, int n_more,
                 demo_options *o, demo_open_task *open, int argc, char **argv);

#endif
