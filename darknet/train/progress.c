#include "train/progress.h"

#include "seconds.h"
#include "train/stage.h"

#include <unistd.h>

progress progress_start(FILE *out, size_t last_iteration, int images, int stride) {
    return (progress){.out = out,
                      .terminal = isatty(fileno(out)),
                      .last_iteration = last_iteration,
                      .images = images,
                      .stride = stride,
                      .started = seconds_now()};
}

void progress_step(progress *p, size_t iteration, gdrq_stage stage, double loss, double rate) {
    const double end = seconds_now(), seconds = end - p->started;
    p->started = end;
    p->average_loss = p->has_average ? .9 * p->average_loss + .1 * loss : loss;
    p->has_average = true;
    /* The first iteration is no measure: it prepares kernels and decodes images. */
    p->average_seconds = p->steps > 1 ? .9 * p->average_seconds + .1 * seconds : seconds;
    p->steps++;
    const size_t left = p->last_iteration > iteration ? p->last_iteration - iteration : 0;
    char eta[SECONDS_TEXT_SIZE];
    fprintf(p->out, "%s%zu: %f, %f avg, %f rate, %f seconds, %zu images", p->terminal ? "\r" : "",
            iteration, loss, p->average_loss, rate, seconds, iteration * (size_t)p->images);
    const double per_iteration = p->average_seconds / p->stride;
    fprintf(p->out, ", %s, %.1f images/s, ETA %s to %zu%s", stage_name(stage),
            p->images / per_iteration, seconds_text((double)left * per_iteration, eta),
            p->last_iteration, p->terminal ? "\033[K" : "\n");
    fflush(p->out);
    p->line_open = p->terminal;
}

void progress_continue(progress *p, double average_loss) {
    p->average_loss = average_loss;
    p->has_average = true;
}

void progress_resume(progress *p) {
    p->started = seconds_now();
}

void progress_end_line(progress *p) {
    if (p->line_open)
        fputc('\n', p->out);
    fflush(p->out);
    p->line_open = false;
}
