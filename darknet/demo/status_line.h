/* What a run shows of itself: at a terminal one line that changes, and a last one for all. */
#ifndef DARKNET_DEMO_STATUS_LINE_H
#define DARKNET_DEMO_STATUS_LINE_H

#include <stdio.h>

#include "demo/statistics.h"

typedef struct status_line {
    bool terminal, open;
    double shown; /* the moment */
} status_line;

status_line status_line_start(void);

/* On stderr, a few times a second; nothing where that is no terminal. */
void status_line_show(status_line *line, const demo_statistics *s);

/* Ends the line under way, so that something else can be printed. */
void status_line_end(status_line *line);

/* "300 frames, 101.2 FPS, latency 5.12 ms (95 %: 7.03), network 2.41 ms, 0 dropped; " and the
 * stages.
 */
void status_line_sum_up(const statistics *s, unsigned long dropped, FILE *out);

#endif
