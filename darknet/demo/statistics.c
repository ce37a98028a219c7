#include "demo/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double window_seconds = 3, recompute_every = .2;

/* Bin i holds times around shortest * growth^i: from a microsecond to ten minutes. */
static const double shortest = 1e-6, growth = 1.02;

void time_bins_add(time_bins *bins, double seconds) {
    const double at = seconds > shortest ? log(seconds / shortest) / log(growth) : 0;
    bins->count[at < STATISTICS_BINS - 1 ? (int)(at + .5) : STATISTICS_BINS - 1]++;
    bins->n++;
}

double time_bins_quantile(const time_bins *bins, double share) {
    unsigned long seen = 0;
    for (int i = 0; i < STATISTICS_BINS; i++) {
        seen += bins->count[i];
        if (seen && (double)seen >= share * (double)bins->n)
            return shortest * pow(growth, i);
    }
    return 0;
}

void statistics_add(statistics *s, const frame *f) {
    const double latency = f->done - f->captured;
    if (s->frames++ == 0)
        s->first = f->done;
    s->last = f->done;
    s->done[s->next] = f->done;
    s->latency[s->next] = latency;
    s->network[s->next] = f->times.network;
    s->next = (s->next + 1) % STATISTICS_WINDOW;
    time_bins_add(&s->latencies, latency);
    time_bins_add(&s->networks, f->times.network);
    time_bins_add(&s->prepares, f->times.prepare);
    time_bins_add(&s->infers, f->times.infer);
    time_bins_add(&s->draws, f->times.draw);
}

double statistics_fps(const statistics *s) {
    return s->frames > 1 && s->last > s->first ? (double)(s->frames - 1) / (s->last - s->first) : 0;
}

/* How many of the newest frames were done in the last seconds. */
static int recent(const statistics *s, double now) {
    const int most = s->frames < STATISTICS_WINDOW ? (int)s->frames : STATISTICS_WINDOW;
    int n = 0;
    while (n < most && now - s->done[(s->next - n - 1 + STATISTICS_WINDOW) % STATISTICS_WINDOW] <=
                           window_seconds)
        n++;
    return n;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The last n of a ring, sorted. */
static void sort_recent(const statistics *s, const double *ring, int n, double *sorted) {
    for (int i = 0; i < n; i++)
        sorted[i] = ring[(s->next - i - 1 + STATISTICS_WINDOW) % STATISTICS_WINDOW];
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
}

/* Without a result for a while the time since then counts, too. */
static double recent_fps(const statistics *s, int n, double now) {
    const double oldest = s->done[(s->next - n + STATISTICS_WINDOW) % STATISTICS_WINDOW];
    const double silent = now - s->last;
    const double end = silent > 1 ? now : s->last;
    return n > 1 && end > oldest ? (n - 1) / (end - oldest) : 0;
}

static void compute(statistics *s, double now) {
    double sorted[STATISTICS_WINDOW];
    const int n = recent(s, now);
    s->computed = now;
    s->shown = (demo_statistics){0};
    if (n == 0)
        return;
    s->shown.fps = recent_fps(s, n, now);
    sort_recent(s, s->latency, n, sorted);
    s->shown.latency_median = 1e3 * sorted[n / 2];
    s->shown.latency_95 = 1e3 * sorted[(int)(.95 * (n - 1) + .5)];
    sort_recent(s, s->network, n, sorted);
    s->shown.network_ms = 1e3 * sorted[n / 2];
}

const demo_statistics *statistics_show(statistics *s, double now, unsigned long dropped,
                                       const char *source_state) {
    if (s->computed == 0 || now - s->computed >= recompute_every)
        compute(s, now);
    s->shown.frames = s->frames;
    s->shown.dropped = dropped;
    s->shown.source_state = source_state;
    return &s->shown;
}
