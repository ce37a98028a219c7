#include "inspect/histogram.h"

#include "inspect/value_bars.h"

#include <math.h>
#include <stdio.h>

/* Of the numbers, those that may lie beyond either end of a view. */
static const double hidden = .001;
/* A bar so much higher than the next is cut, so that the others can be seen. */
static const double dominant = 3, cut_at = 1.5, headroom = 1.15;
/* Bars of values up to so many times the highest code's are shown whole, if only just. */
static const double no_spike = 2, least_headroom = 1.02;
/* Bars of values in a view, at most, and the pixels that each has at least. */
static const double most_bars = 240;
static const float least_width = 2;
/* Pixels per step up to which the bars of codes hide little of the values. */
static const float widest_without_outline = 14;

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

/* Of the bars of values in a view so many steps wide, the highest that is no spike: not above
 * `most`.
 */
static double highest_values(const gdrq_distribution *d, double steps, double most) {
    const int bins = value_bars_bins(d, steps / most_bars);
    double highest = 0;
    for (value_bar b = {0}; value_bars_next(d, bins, &b);)
        if (!b.far && value_bar_height(&b) <= most)
            highest = fmax(highest, value_bar_height(&b));
    return highest;
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
    first = fmax(first, uniform);
    v.top =
        fmax(headroom * first, least_headroom * highest_values(d, v.to - v.from, no_spike * first));
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

/* ---- marks ---- */

static canvas_font label_font(const histogram *h) {
    return (canvas_font){.size = (h->small ? 6 : 8) * h->unit};
}

static void percent(double share, char *text, size_t size) {
    snprintf(text, size, share < .0995 ? "%.1f %%" : "%.0f %%", 100 * share);
}

/* The height of a label's baseline at the top of the box. */
static float label_top(const histogram *h) {
    return h->box.top + 3 * h->unit + label_font(h).size;
}

/* A gap through a bar that goes on beyond the top, from..to steps. */
static void break_bar(const histogram *h, double from, double to) {
    const float unit = h->unit, y = h->box.top + 5 * unit;
    const float left = histogram_x(h, from), right = fmaxf(histogram_x(h, to), left + unit);
    const canvas_point ends[] = {{left - unit, y + 2 * unit}, {right + unit, y - 2 * unit}};
    canvas_line(h->canvas, ends, 2, 2 * unit, canvas_rgb(PLOT_WHITE));
}

/*
 * Breaks it, and writes beside it what share it holds, where *room, pixels, has some on one of its
 * sides; the next label has what is left behind.
 */
static void mark_cut(const histogram *h, const value_bar *b, unsigned colour, const char *of,
                     plot_box *room) {
    char value[16], label[32];
    percent(b->share, value, sizeof value);
    snprintf(label, sizeof label, "%s%s", value, of);
    const canvas_font font = label_font(h);
    const float gap = (h->small ? 2 : 5) * h->unit, width = canvas_text_width(font, label);
    const float right = histogram_x(h, b->to) + gap, left = histogram_x(h, b->from) - gap - width;
    const bool fits_right = right + width <= room->right, fits_left = left >= room->left;
    break_bar(h, b->from, b->to);
    if (fits_right || fits_left)
        plot_text(h->canvas, fits_right ? right : left, label_top(h), CANVAS_LEFT, font, colour,
                  label);
    room->left = fits_right ? right + width + gap : right;
}

/* ---- values ---- */

static int bins_per_bar(const histogram *h) {
    return value_bars_bins(h->of, least_width * h->unit / pixels_per_step(h));
}

/* Of the outermost bar, with width enough to be seen. */
static plot_box far_box(const histogram *h, const value_bar *b) {
    const float least = 3 * h->unit, y = y_of(h, value_bar_height(b));
    const float left = histogram_x(h, b->from), right = histogram_x(h, b->to);
    return b->from > 0 ? (plot_box){left, y, fmaxf(right, left + least), h->box.bottom}
                       : (plot_box){fminf(left, right - least), y, right, h->box.bottom};
}

/* Whether the outermost bar is in the view, and has numbers. */
static bool shows_far(const histogram *h, const value_bar *b) {
    return b->share > 0 && (b->from > 0 ? b->from < h->view.to : b->to > h->view.from);
}

static void draw_values_bar(const histogram *h, const value_bar *b, unsigned colour) {
    if (!b->far) {
        bar(h, b->from, b->to, 0, value_bar_height(b), colour);
    } else if (shows_far(h, b)) {
        const plot_box box = far_box(h, b);
        canvas_fill(h->canvas, floorf(box.left), box.top, floorf(box.right), box.bottom,
                    canvas_rgb(colour));
    }
}

void histogram_draw_values(const histogram *h, unsigned colour, unsigned clipped) {
    const int bins = bins_per_bar(h);
    for (value_bar b = {0}; value_bars_next(h->of, bins, &b);)
        if (!b.clipped || clipped != PLOT_WHITE)
            draw_values_bar(h, &b, b.clipped ? clipped : colour);
}

/* Where there is no room for its share, it must at least be seen. */
static bool is_far_marked(const histogram *h, const value_bar *b) {
    const float least = h->small ? 2 * h->unit : 0;
    return b->far && b->share > hidden && shows_far(h, b) &&
           far_box(h, b).bottom - far_box(h, b).top >= least;
}

/* The top of the highest bar that reaches into left..right, where a label is to stand. */
static float top_between(const histogram *h, float left, float right) {
    const int bins = bins_per_bar(h);
    float top = h->box.bottom;
    for (value_bar b = {0}; value_bars_next(h->of, bins, &b);)
        if (b.share > 0 && histogram_x(h, b.to) > left && histogram_x(h, b.from) < right)
            top = fminf(top, y_of(h, value_bar_height(&b)));
    return top;
}

static void mark_far(const histogram *h, const value_bar *b) {
    char value[16], label[64];
    const bool above = b->from > 0;
    percent(b->share, value, sizeof value);
    if (h->small)
        snprintf(label, sizeof label, "%s", above ? ">3T" : "<-3T");
    else
        snprintf(label, sizeof label, "%s: %s", above ? "3T and more" : "-3T and less", value);
    const float width = canvas_text_width(label_font(h), label);
    const float left = above ? h->box.right - width : h->box.left;
    const float y = top_between(h, left, left + width) - 4 * h->unit;
    plot_text(h->canvas, left, fmaxf(y, label_top(h)), CANVAS_LEFT, label_font(h),
              HISTOGRAM_CLIPPED, label);
}

/* Cut bars side by side, the next behind bar *at; false if there are none. */
static bool next_cut(const histogram *h, value_bar *at, value_bar *cut) {
    const int bins = bins_per_bar(h);
    *cut = (value_bar){0};
    while (value_bars_next(h->of, bins, at)) {
        const bool is_cut = !at->far && value_bar_height(at) > h->view.top;
        if (!is_cut && cut->share > 0)
            return true;
        if (!is_cut)
            continue;
        cut->from = cut->share > 0 ? cut->from : at->from;
        cut->to = at->to;
        cut->share += at->share;
    }
    return false;
}

static void mark_cut_values(const histogram *h) {
    plot_box room = h->box;
    value_bar at = {0}, cut, next;
    for (bool more = next_cut(h, &at, &cut); more; cut = next) {
        more = next_cut(h, &at, &next);
        room.right = more ? histogram_x(h, next.from) : h->box.right;
        if (h->small)
            break_bar(h, cut.from, cut.to);
        else
            mark_cut(h, &cut, PLOT_MUTED, " of all", &room);
    }
}

void histogram_mark_values(const histogram *h) {
    const int bins = bins_per_bar(h);
    mark_cut_values(h);
    for (value_bar b = {0}; value_bars_next(h->of, bins, &b);)
        if (is_far_marked(h, &b))
            mark_far(h, &b);
}

/* From the height of one bar to that of the next. */
static void outline_step(const histogram *h, float x, float from, float to) {
    const float top = floorf(fminf(from, to)), bottom = floorf(fmaxf(from, to)) + 1;
    canvas_fill(h->canvas, x, top, x + 1, bottom, canvas_rgb(HISTOGRAM_OUTLINE));
}

void histogram_outline_values(const histogram *h) {
    const int bins = bins_per_bar(h);
    float before = h->box.bottom;
    if (pixels_per_step(h) < widest_without_outline * h->unit)
        return;
    for (value_bar b = {0}; value_bars_next(h->of, bins, &b);) {
        const float left = floorf(histogram_x(h, b.from)), right = floorf(histogram_x(h, b.to));
        const float y = floorf(y_of(h, value_bar_height(&b)));
        if (b.far || right <= left || (b.share == 0 && before == h->box.bottom))
            continue;
        outline_step(h, left, before, y);
        canvas_fill(h->canvas, left, y, right, y + 1, canvas_rgb(HISTOGRAM_OUTLINE));
        before = y;
    }
}

/* ---- codes ---- */

static value_bar code_bar(const histogram *h, int code) {
    const gdrq_distribution *d = h->of;
    const double half = pixels_per_step(h) < 4 * h->unit ? .5 : .36;
    return (value_bar){.from = code - half,
                       .to = code + half,
                       .share = (double)d->codes[code - d->min] / (double)d->n};
}

void histogram_draw_codes(const histogram *h) {
    const gdrq_distribution *d = h->of;
    for (int c = d->min; d->n && c <= d->max; c++) {
        const value_bar b = code_bar(h, c);
        const size_t moved = (c == d->min ? d->below : 0) + (c == d->max ? d->above : 0);
        const double stayed = b.share - (double)moved / (double)d->n;
        bar(h, b.from, b.to, 0, stayed, HISTOGRAM_CODES);
        bar(h, b.from, b.to, stayed, b.share, HISTOGRAM_CLIPPED);
    }
}

void histogram_mark_codes(const histogram *h) {
    const gdrq_distribution *d = h->of;
    plot_box room = h->box;
    for (int c = d->min; d->n && c <= d->max; c++) {
        const value_bar b = code_bar(h, c);
        if (b.share > h->view.top)
            mark_cut(h, &b, HISTOGRAM_CODES, "", &room);
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
