#include "demo/status_line.h"

#include "seconds.h"

#include <unistd.h>

static const double show_every = .2;

status_line status_line_start(void) {
    return (status_line){.terminal = isatty(STDERR_FILENO)};
}

void status_line_show(status_line *line, const demo_statistics *s) {
    const double now = seconds_now();
    if (!line->terminal || now - line->shown < show_every)
        return;
    line->shown = now;
    line->open = true;
    fprintf(stderr,
            "\r%lu frames, %.1f FPS, latency %.1f ms (95 %%: %.1f), network %.1f ms, %lu dropped, "
            "%s\033[K",
            s->frames, s->fps, s->latency_median, s->latency_95, s->network_ms, s->dropped,
            s->source_state);
    fflush(stderr);
}

void status_line_end(status_line *line) {
    if (line->open)
        fputc('\n', stderr);
    line->open = false;
}

static double median_ms(const time_bins *bins) {
    return 1e3 * time_bins_quantile(bins, .5);
}

void status_line_sum_up(const statistics *s, unsigned long dropped, FILE *out) {
    fprintf(out,
            "%lu frames, %.1f FPS, latency %.2f ms (95 %%: %.2f), network %.2f ms, %lu dropped; "
            "prepare %.2f, infer %.2f, draw %.2f ms\n",
            s->frames, statistics_fps(s), median_ms(&s->latencies),
            1e3 * time_bins_quantile(&s->latencies, .95), median_ms(&s->networks), dropped,
            median_ms(&s->prepares), median_ms(&s->infers), median_ms(&s->draws));
    fflush(out);
}
