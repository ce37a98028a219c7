/*
 * What the pipeline is worth: results per second, and the time from capture to result. Of the last
 * seconds, and of the whole run in memory that does not grow.
 */
#ifndef DARKNET_DEMO_STATISTICS_H
#define DARKNET_DEMO_STATISTICS_H

#include "demo/frame.h"
#include "demo/http_server.h"

enum {
    STATISTICS_WINDOW = 512, /* frames */
    STATISTICS_BINS = 1024,  /* of seconds, each 2 % above the one before */
};

/* Counts of seconds in bins. */
typedef struct time_bins {
    unsigned long n, count[STATISTICS_BINS];
} time_bins;

typedef struct statistics {
    unsigned long frames;
    double first, last; /* moments of results */
    int next;           /* place in the window */
    double done[STATISTICS_WINDOW], latency[STATISTICS_WINDOW], network[STATISTICS_WINDOW];
    time_bins latencies, networks, prepares, infers, draws;
    demo_statistics shown; /* computed at `computed` */
    double computed;
} statistics;

/* Zeroed: no frame yet. */
void statistics_add(statistics *s, const frame *f);

/* As they are at the moment `now`; the window's are computed five times a second at most. */
const demo_statistics *statistics_show(statistics *s, double now, unsigned long dropped,
                                       const char *source_state);

/* Results per second of the whole run. */
double statistics_fps(const statistics *s);

/* Of sorted counts: the time that a `share` (0..1) is not above, within 1 %; 0 without any. */
double time_bins_quantile(const time_bins *bins, double share);
void time_bins_add(time_bins *bins, double seconds);

#endif
