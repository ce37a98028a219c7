#include "train/chart_series.h"

#include <math.h>

/* Beyond these no span or ratio of two values overflows; no loss worth a look is there. */
static const double huge = 1e100, tiny = 1e-100;

double chart_value(const history_row *row, chart_series series) {
    const double value = series == CHART_LOSS      ? row->loss
                         : series == CHART_AVERAGE ? row->average_loss
                                                   : row->metric;
    return fabs(value) < huge ? value : NAN;
}

const history_row *chart_best(const history *h) {
    const history_row *best = NULL;
    for (const history_row *r = h->rows; r < h->rows + h->n; r++)
        if (isfinite(r->metric) && (!best || r->metric > best->metric))
            best = r;
    return best;
}

/* The smallest of 1, 2 and 5 times a power of ten that is not below x > 0. */
static double nice_above(double x) {
    double power = pow(10, floor(log10(x)));
    return power >= x       ? power
           : 2 * power >= x ? 2 * power
           : 5 * power >= x ? 5 * power
                            : 10 * power;
}

axis chart_iterations(const history *h, size_t last_iteration, int most_ticks) {
    const history_row *last = history_last(h);
    const double done = last ? (double)last->iteration : 0, all = (double)last_iteration;
    double from = last ? (double)h->rows[0].iteration - 1 : 0;
    double to = fmax(fmax(all, done), 1);
    if (done > 0 && done - from < (to - from) / 4)
        to = fmin(to, from + fmax(10, nice_above(1.5 * (done - from))));
    /* A training that started from another one's weights; nearly from 0 looks best from 0. */
    if (from < to / 3)
        from = 0;
    /* No ticks between iterations. */
    return axis_linear(from, to, (int)fmin(most_ticks, to - from + 1));
}

typedef struct range {
    double lowest, highest, lowest_positive; /* INFINITY, -INFINITY, INFINITY if there is none */
} range;

static range range_of(const history *h, chart_series series) {
    range found = {INFINITY, -INFINITY, INFINITY};
    for (const history_row *r = h->rows; r < h->rows + h->n; r++) {
        const double value = chart_value(r, series);
        if (!isfinite(value))
            continue;
        found.lowest = fmin(found.lowest, value);
        found.highest = fmax(found.highest, value);
        if (value > tiny)
            found.lowest_positive = fmin(found.lowest_positive, value);
    }
    return found;
}

axis chart_losses(const history *h, int most_ticks) {
    const range one = range_of(h, CHART_LOSS), mean = range_of(h, CHART_AVERAGE);
    const double lowest = fmin(one.lowest, mean.lowest), highest = fmax(one.highest, mean.highest);
    if (!(lowest <= highest))
        return axis_linear(0, 1, most_ticks);
    /* Batches that happen to be nearly free of loss must not press the rest together. */
    const double positive = fmax(fmin(one.lowest_positive, mean.lowest_positive),
                                 fmin(mean.lowest_positive, highest) / 4);
    if (lowest >= 0 && positive < INFINITY && highest >= 10 * positive) {
        const double room = pow(highest / positive, .05);
        return axis_logarithmic(positive / room, highest * room, most_ticks);
    }
    const double room = (highest - lowest) * .06;
    return axis_linear(lowest >= 0 ? fmax(0, lowest - room) : lowest - room, highest + room,
                       most_ticks);
}

int chart_most_points(const axis *x) {
    return 4 * ((int)(x->end - x->begin) + 2);
}

/* A finite value; x is its place in pixels. */
typedef struct sample {
    float x;
    double value;
} sample;

/* The samples of one column of pixels; x grows from sample to sample. */
typedef struct column {
    int at;
    sample first, lowest, highest, last;
    double sum_x, sum;
    int n;
} column;

static void add_to_column(column *c, sample s) {
    if (!c->n)
        c->first = c->lowest = c->highest = s;
    c->lowest = s.value < c->lowest.value ? s : c->lowest;
    c->highest = s.value > c->highest.value ? s : c->highest;
    c->last = s;
    c->sum_x += s.x;
    c->sum += s.value;
    c->n++;
}

static int add_unless_same(canvas_point *points, int n, const axis *y, sample s) {
    const canvas_point p = {s.x, axis_at(y, s.value)};
    if (n && points[n - 1].x == p.x && points[n - 1].y == p.y)
        return n;
    points[n] = p;
    return n + 1;
}

/* What the column's samples span, in their order. */
static int flush_extremes(const column *c, const axis *y, canvas_point *points, int n) {
    const bool low_first = c->lowest.x <= c->highest.x;
    n = add_unless_same(points, n, y, c->first);
    n = add_unless_same(points, n, y, low_first ? c->lowest : c->highest);
    n = add_unless_same(points, n, y, low_first ? c->highest : c->lowest);
    return add_unless_same(points, n, y, c->last);
}

static int flush_mean(const column *c, const axis *y, canvas_point *points, int n) {
    return add_unless_same(points, n, y, (sample){(float)(c->sum_x / c->n), c->sum / c->n});
}

int chart_curve(const history *h, chart_series series, const axis *x, const axis *y,
                canvas_point *points) {
    int (*const flush)(const column *, const axis *, canvas_point *, int) =
        series == CHART_AVERAGE ? flush_mean : flush_extremes;
    column c = {0};
    int n = 0;
    for (size_t i = 0; i < h->n; i++) {
        const sample s = {axis_at(x, (double)h->rows[i].iteration),
                          chart_value(&h->rows[i], series)};
        if (!isfinite(s.value))
            continue;
        const int at = (int)(s.x - x->begin);
        if (c.n && at != c.at) {
            n = flush(&c, y, points, n);
            c.n = 0;
        }
        if (!c.n)
            c = (column){.at = at};
        add_to_column(&c, s);
    }
    return c.n ? flush(&c, y, points, n) : n;
}

static bool same_rate(const history *h, size_t i, size_t k) {
    return fabs(h->rows[i].rate - h->rows[k].rate) <= 1e-4 * fabs(h->rows[k].rate);
}

bool chart_rate_steps(const history *h, size_t i) {
    return i >= 2 && i + 1 < h->n && !same_rate(h, i - 1, i) && same_rate(h, i - 2, i - 1) &&
           same_rate(h, i + 1, i);
}
