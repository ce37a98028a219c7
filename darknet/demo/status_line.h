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

/* "frames 300, 101.2 FPS, latency 5.1 ms (95 %: 7.0 ms), network 2.4 ms, dropped 0" and the stages
 */
void status_line_sum_up(const statistics *s, unsigned long dropped, FILE *out);

#endif
