#include "work_progress.h"

#include "seconds.h"

#include <stdio.h>
#include <unistd.h>

/* Seconds between two lines. */
static const double on_terminal = .2, elsewhere = 15;

work_progress work_progress_start(const char *what, double total) {
    const double now = seconds_now();
    return (work_progress){.what = what,
                           .total = total,
                           .started = now,
                           .shown = now,
                           .terminal = isatty(STDERR_FILENO)};
}

void work_progress_add(work_progress *p, double work) {
    char eta[SECONDS_TEXT_SIZE];
    p->done += work;
    const double now = seconds_now();
    if (now - p->shown < (p->terminal ? on_terminal : elsewhere) || p->done >= p->total)
        return;
    p->shown = now;
    seconds_text((now - p->started) * (p->total - p->done) / p->done, eta);
    fprintf(stderr, "%s%s: %.0f %%, ETA %s%s", p->terminal ? "\r" : "", p->what,
            100 * p->done / p->total, eta, p->terminal ? "\033[K" : "\n");
}

void work_progress_end(work_progress *p) {
    char took[SECONDS_TEXT_SIZE];
    seconds_text(seconds_now() - p->started, took);
    fprintf(stderr, "%s%s: %.0f %% in %s%s\n", p->terminal ? "\r" : "", p->what,
            100 * p->done / p->total, took, p->terminal ? "\033[K" : "");
}
