#include "inspect/histogram.h"

#include <math.h>
#include <stdio.h>

/* Of the numbers, those that may lie beyond either end of a view. */
static const double hidden = .001;
/* Numbers in a bar of values, on average, below which it would be noise. */
static const double fewest = 10;
/* A bar so much higher than the next is cut, so that the others can be seen. */
static const double dominant = 3, cut_at = 1.5, headroom = 1.15;

/* ---- views ---- */

/* Where all but `hidden` of the numbers lie to the right of, or, backwards, to the left of. */
static double quantile(const gdrq_distribution *d, bool backwards) {
    size_t sum = 0;
    int i = 0;
    for (; i < d->n_bins; i++) {
        sum += d->bins[backwards ? d->n_bins - 1 - i : i];
        if ((double)sum > hidden * (double)d->n)
            break;
    }
    return gdrq_distribution_bin(d, backwards ? d->n_bins - i : i);
}

/* Of the codes' shares, the largest and the next. */
static void two_largest(const gdrq_distribution *d, double *first, double *second) {
    *first = *second = 0;
    for (int c = 0; c <= d->max - d->min; c++) {
        const double share = d->n ? (double)d->codes[c] / (double)d->n : 0;
        if (share > *first) {
            *second = *first;
            *first = share;
        } else {
            *second = fmax(*second, share);
        }
    }
}

histogram_view histogram_view_of(const gdrq_distribution *d) {
    const double margin = fmax(.8, .06 * (d->max - d->min));
    histogram_view v = {.from = fmin(d->min, quantile(d, false)) - margin,
                        .to = fmax(d->max, quantile(d, true)) + margin};
    if (d->min == -d->max) {
        v.to = fmax(v.to, -v.from);
        v.from = -v.to;
    }
    double first, second;
    const double uniform = 1. / (d->max - d->min + 1);
    two_largest(d, &first, &second);
    if (first > dominant * second && second > 0)
        first = cut_at * second;
    v.top = headroom * fmax(first, uniform);
    return v;
}

histogram_view histogram_view_of_both(const gdrq_distribution *a, const gdrq_distribution *b) {
    if (!a || !a->n || !b->n)
        return histogram_view_of(a && a->n ? a : b);
    const histogram_view v = histogram_view_of(a), w = histogram_view_of(b);
    return (histogram_view){fmin(v.from, w.from), fmax(v.to, w.to), fmax(v.top, w.top)};
}

/* ---- places ---- */

float histogram_x(const histogram *h, double steps) {
    const double share = (steps - h->view.from) / (h->view.to - h->view.from);
    return h->box.left + (float)fmin(fmax(share, 0), 1) * (h->box.right - h->box.left);
}

static float y_of(const histogram *h, double share) {
    return h->box.bottom - (float)fmin(share / h->view.top, 1) * (h->box.bottom - h->box.top);
}

static float pixels_per_step(const histogram *h) {
    return (h->box.right - h->box.left) / (float)(h->view.to - h->view.from);
}

/*
 * From share `low` to `high` above the values from..to. Whole pixels wide, so that there are no
 * seams between bars; of several within a pixel the highest is seen.
 */
static void bar(const histogram *h, double from, double to, double low, double high,
                unsigned colour) {
    const float left = histogram_x(h, from), right = histogram_x(h, to);
    if (right > left && high > low)
        canvas_fill(h->canvas, floorf(left), y_of(h, high), fmaxf(floorf(right), floorf(left) + 1),
                    y_of(h, low), canvas_rgb(colour));
}

/* ---- values ---- */

/* How many bins a bar spans: enough for some pixels and some numbers, but no more than a code. */
static int bins_per_bar(const histogram *h) {
    const gdrq_distribution *d = h->of;
    const int most = d->bins_per_code;
    const double pixels = pixels_per_step(h) / (float)most;
    const double numbers = (double)d->n / (most * (d->max - d->min));
    int bins = 1;
    while ((pixels * bins < 2 * (double)h->unit || numbers * bins < fewest) && bins < most)
        bins = most % (2 * bins) == 0 ? 2 * bins : most;
    return bins;
}

/* The last bin of the bar that begins with bin `first`; no end of the grid divides a bar. */
static int bar_end(const gdrq_distribution *d, int first, int bins) {
    const int last = first - first % bins + bins - 1;
    for (int i = first; i < last; i++) {
        const double end = gdrq_distribution_bin(d, i + 1);
        if (end == d->min || end == d->max)
            return i;
    }
    return last;
}

void histogram_draw_values(const histogram *h, unsigned colour, unsigned clipped) {
    const gdrq_distribution *d = h->of;
    const int bins = bins_per_bar(h);
    for (int first = 0, last; d->n && first < d->n_bins; first = last + 1) {
        last = bar_end(d, first, bins);
        double n = 0;
        for (int i = first; i <= last; i++)
            n += (double)d->bins[i];
        const double from = gdrq_distribution_bin(d, first);
        const double to = gdrq_distribution_bin(d, last + 1);
        const bool outside = to <= d->min || from >= d->max;
        bar(h, from, to, 0, n / (double)d->n / (to - from), outside ? clipped : colour);
    }
}

/* ---- codes ---- */

static void label_cut_bar(const histogram *h, double code, double share) {
    const canvas_font font = {.size = 8 * h->unit};
    char label[32];
    const float x = histogram_x(h, code), y = h->box.top + 3 * h->unit, gap = 5 * h->unit;
    snprintf(label, sizeof label, "%.0f %%", 100 * share);
    const float width = canvas_text_width(font, label);
    const bool to_the_left = x + gap + width > h->box.right;
    plot_text(h->canvas, to_the_left ? x - gap : x + gap, y + font.size,
              to_the_left ? CANVAS_RIGHT : CANVAS_LEFT, font, HISTOGRAM_CODES, label);
}

void histogram_draw_codes(const histogram *h) {
    const gdrq_distribution *d = h->of;
    const double half = pixels_per_step(h) < 4 * h->unit ? .5 : .36;
    for (int c = d->min; d->n && c <= d->max; c++) {
        const size_t moved = (c == d->min ? d->below : 0) + (c == d->max ? d->above : 0);
        const double n = (double)d->n, share = (double)d->codes[c - d->min] / n;
        const double stayed = share - (double)moved / n;
        bar(h, c - half, c + half, 0, stayed, HISTOGRAM_CODES);
        bar(h, c - half, c + half, stayed, share, HISTOGRAM_CLIPPED);
        if (share > h->view.top && !h->small)
            label_cut_bar(h, c + half, share);
    }
}

/* ---- lines ---- */

void histogram_draw_uniform(const histogram *h) {
    const gdrq_distribution *d = h->of;
    const float y = y_of(h, 1. / (d->max - d->min + 1));
    const plot_box line = {histogram_x(h, d->min - .5), y, histogram_x(h, d->max + .5), y};
    plot_dashes(h->canvas, line, 5, 3, h->unit, HISTOGRAM_UNIFORM);
}

static void threshold_line(const histogram *h, double steps) {
    const float x = histogram_x(h, steps);
    plot_dashes(h->canvas, (plot_box){x, h->box.top, x, h->box.bottom}, 4, 3, h->unit,
                HISTOGRAM_CLIPPED);
}

void histogram_draw_thresholds(const histogram *h) {
    threshold_line(h, h->of->max);
    if (h->of->min < 0)
        threshold_line(h, h->of->min);
}
