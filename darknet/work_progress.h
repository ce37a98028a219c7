/*
 * How far a long piece of work is and when it will end, on stderr: on a terminal one line that
 * changes, else now and then a line.
 */
#ifndef DARKNET_WORK_PROGRESS_H
#define DARKNET_WORK_PROGRESS_H

#include <stdbool.h>

typedef struct work_progress {
    const char *what; /* "measuring layers" */
    double done, total;
    double started, shown; /* seconds_now() */
    bool terminal;
} work_progress;

/* `total` is in whatever unit work_progress_add() counts. */
work_progress work_progress_start(const char *what, double total);

void work_progress_add(work_progress *p, double work);

/* The end of it, also before all is done: says how long it took. */
void work_progress_end(work_progress *p);

#endif
