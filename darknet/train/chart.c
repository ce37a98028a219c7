#include "train/chart.h"

#include "base/alloc.h"
#include "base/status.h"
#include "image/plot.h"
#include "train/chart_series.h"
#include "train/stage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LABELS = 24, MOST_RATE_STEPS = 8, TEXT_SIZE = 200 };

static const unsigned white = PLOT_WHITE, ink = PLOT_INK, muted = PLOT_MUTED, grid = PLOT_GRID,
                      frame = PLOT_FRAME, event = 0x8a94a3;
static const unsigned series_colours[CHART_N_SERIES] = {
    [CHART_LOSS] = 0xb5cfec, [CHART_AVERAGE] = 0x1f5fa8, [CHART_METRIC] = 0xd65f1e};

typedef plot_box box;

typedef struct chart {
    const history *h;
    const chart_options *o;
    canvas c;
    float unit; /* pixels per pixel of a picture of 1000 x 700 */
    box plot;
    axis x, loss, metric;
    const history_row *best; /* NULL: nothing was measured */
    canvas_point *curves[CHART_N_SERIES];
    int n_points[CHART_N_SERIES];
    box labels[MOST_LABELS]; /* in the plot so far */
    int n_labels;
    float names_free[2]; /* between the axes' names above the plot: left and right end */
} chart;

static canvas_font font_of(const chart *k, float size, bool bold) {
    return (canvas_font){size * k->unit, bold};
}

static canvas_colour colour_of(chart_series series) {
    return canvas_rgb(series_colours[series]);
}

static void text(chart *k, float x, float y, canvas_align align, canvas_font font, unsigned colour,
                 const char *string) {
    plot_text(&k->c, x, y, align, font, colour, string);
}

static const axis *loss_or_metric(const chart *k, chart_series series) {
    return series == CHART_METRIC ? &k->metric : &k->loss;
}

/* ---- Layout ---- */

static void lay_out(chart *k) {
    const float u = k->unit, w = (float)k->c.on->w, h = (float)k->c.on->h;
    k->plot = (box){roundf(66 * u), roundf(108 * u), roundf(w - (k->h->metric_name ? 66 : 30) * u),
                    roundf(h - 56 * u)};
    const float width = k->plot.right - k->plot.left, height = k->plot.bottom - k->plot.top;
    const int columns = (int)fminf(12, fmaxf(2, width / (80 * u)));
    const int rows = (int)fminf(12, fmaxf(2, height / (44 * u)));
    k->x = chart_iterations(k->h, k->o->last_iteration, columns);
    k->x.begin = k->plot.left;
    k->x.end = k->plot.right;
    k->loss = chart_losses(k->h, rows);
    k->metric = axis_linear(0, 1, height > 160 * u ? 6 : 3);
    k->loss.begin = k->metric.begin = k->plot.bottom;
    k->loss.end = k->metric.end = k->plot.top;
    k->best = k->h->metric_name ? chart_best(k->h) : NULL;
}

static gdrq_status make_curves(chart *k) {
    for (int s = 0; s < CHART_N_SERIES; s++) {
        k->curves[s] = gdrq_alloc((size_t)chart_most_points(&k->x), sizeof *k->curves[s]);
        if (!k->curves[s])
            return gdrq_fail(k->c.err, GDRQ_ERROR_MEMORY, "chart: out of memory");
        if (s != CHART_METRIC || k->h->metric_name)
            k->n_points[s] = chart_curve(k->h, s, &k->x, loss_or_metric(k, s), k->curves[s]);
    }
    return GDRQ_OK;
}

/* ---- Axes ---- */

static void rule(chart *k, box line, unsigned colour) {
    plot_rule(&k->c, line, k->unit, colour);
}

static void draw_x_axis(chart *k) {
    const canvas_font font = font_of(k, 8.5f, false);
    char label[AXIS_LABEL_SIZE];
    for (int i = 0; i < k->x.n_ticks; i++) {
        const float x = axis_at(&k->x, k->x.ticks[i]);
        if (x > k->plot.left)
            rule(k, (box){x, k->plot.top, x, k->plot.bottom}, grid);
        axis_label(&k->x, i, label);
        text(k, x, k->plot.bottom + 20 * k->unit, CANVAS_CENTRE, font, muted, label);
    }
    text(k, (k->plot.left + k->plot.right) / 2, k->plot.bottom + 42 * k->unit, CANVAS_CENTRE, font,
         muted, "iteration");
}

static void draw_loss_axis(chart *k) {
    const canvas_font font = font_of(k, 8.5f, false);
    char label[AXIS_LABEL_SIZE];
    for (int i = 0; i < k->loss.n_ticks; i++) {
        const float y = axis_at(&k->loss, k->loss.ticks[i]);
        rule(k, (box){k->plot.left, y, k->plot.right, y}, grid);
        axis_label(&k->loss, i, label);
        text(k, k->plot.left - 9 * k->unit, y + font.size / 2, CANVAS_RIGHT, font, muted, label);
    }
}

static void draw_metric_axis(chart *k) {
    const canvas_font font = font_of(k, 8.5f, false);
    char label[AXIS_LABEL_SIZE];
    if (!k->h->metric_name)
        return;
    for (int i = 0; i < k->metric.n_ticks; i++) {
        const float y = axis_at(&k->metric, k->metric.ticks[i]);
        rule(k, (box){k->plot.right, y, k->plot.right + 5 * k->unit, y}, frame);
        snprintf(label, sizeof label, "%.0f %%", 100 * k->metric.ticks[i]);
        text(k, k->plot.right + 10 * k->unit, y + font.size / 2, CANVAS_LEFT, font, muted, label);
    }
    rule(k, (box){k->plot.right, k->plot.top, k->plot.right, k->plot.bottom}, frame);
}

static void draw_frame(chart *k) {
    rule(k, (box){k->plot.left, k->plot.top, k->plot.left, k->plot.bottom}, frame);
    rule(k, (box){k->plot.left, k->plot.bottom, k->plot.right, k->plot.bottom}, frame);
}

/* ---- Labels that look for a free place in the plot ---- */

/* How many segments of the curve cross the box; x never falls along a curve. */
static int crossings(const canvas_point *p, int n, box b) {
    int found = 0;
    for (int i = 1; i < n; i++) {
        const canvas_point from = p[i - 1], to = p[i];
        if (to.x < b.left || from.x > b.right)
            continue;
        const float slope = to.x > from.x ? (to.y - from.y) / (to.x - from.x) : 0;
        const float enter = from.x < b.left ? from.y + slope * (b.left - from.x) : from.y;
        const float leave = to.x > b.right ? to.y - slope * (to.x - b.right) : to.y;
        found += fminf(enter, leave) < b.bottom && fmaxf(enter, leave) > b.top;
    }
    return found;
}

static bool overlap(box a, box b) {
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/* What a label there would hide; a label over a label, or outside, is worst. */
static int badness(const chart *k, box b) {
    static const int weights[CHART_N_SERIES] = {
        [CHART_LOSS] = 1, [CHART_AVERAGE] = 4, [CHART_METRIC] = 4};
    int sum = 0;
    for (int s = 0; s < CHART_N_SERIES; s++)
        sum += weights[s] * crossings(k->curves[s], k->n_points[s], b);
    for (int i = 0; i < k->n_labels; i++)
        sum += 100000 * overlap(b, k->labels[i]);
    if (b.left < k->plot.left || b.right > k->plot.right || b.top < k->plot.top ||
        b.bottom > k->plot.bottom)
        sum += 1000000;
    return sum;
}

/* Writes the text into the least bad of n boxes; in none if each lies over a label or outside. */
static void place_label(chart *k, const box *places, int n, canvas_font font, unsigned colour,
                        const char *string) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (badness(k, places[i]) < badness(k, places[best]))
            best = i;
    if (k->n_labels == MOST_LABELS || badness(k, places[best]) >= 100000)
        return;
    const box b = k->labels[k->n_labels++] = places[best];
    canvas_colour ground = canvas_rgb(white);
    ground.opacity = 225;
    canvas_fill(&k->c, b.left, b.top, b.right, b.bottom, ground);
    text(k, (b.left + b.right) / 2, (b.top + b.bottom + font.size) / 2, CANVAS_CENTRE, font, colour,
         string);
}

/* ---- Events ---- */

static void draw_dashes(chart *k, float x, float dash, float gap, unsigned colour) {
    plot_dashes(&k->c, (box){x, k->plot.top, x, k->plot.bottom}, dash, gap, k->unit, colour);
}

/* Between the last row before the event and the first one after it. */
static float event_at(const chart *k, size_t row) {
    return axis_at(&k->x, (double)k->h->rows[row].iteration - .5);
}

static void draw_rate_steps(chart *k, bool labels) {
    const canvas_font font = font_of(k, 8, false);
    int shown = 0;
    for (size_t i = 0; i < k->h->n && shown < MOST_RATE_STEPS; i++) {
        if (!chart_rate_steps(k->h, i))
            continue;
        char string[TEXT_SIZE];
        const float x = event_at(k, i), gap = 4 * k->unit, height = 2 * font.size;
        snprintf(string, sizeof string, "rate %.3g", k->h->rows[i].rate);
        const float width = canvas_text_width(font, string) + 2 * gap;
        const float low = k->plot.bottom - height - gap, high = k->plot.top + gap;
        const box places[] = {{x + gap, low, x + gap + width, low + height},
                              {x - gap - width, low, x - gap, low + height},
                              {x + gap, high, x + gap + width, high + height},
                              {x - gap - width, high, x - gap, high + height}};
        if (labels)
            place_label(k, places, 4, font, muted, string);
        else
            draw_dashes(k, x, 2, 4, frame);
        shown++;
    }
}

/* In the plot, beside the line at x. */
static void name_stage_inside(chart *k, float x, const char *name) {
    const canvas_font font = font_of(k, 8.5f, false);
    const float gap = 4 * k->unit, width = canvas_text_width(font, name) + 2 * gap;
    const float height = 2 * font.size, high = k->plot.top + gap;
    const float low = k->plot.bottom - height - gap;
    const box places[] = {{x + gap, high, x + gap + width, high + height},
                          {x - gap - width, high, x - gap, high + height},
                          {x + gap, low, x + gap + width, low + height}};
    place_label(k, places, 3, font, ink, name);
}

/* What free[0]..free[1] of the row above the plot has room for; a name takes from it. */
static bool name_stages_above(chart *k, size_t row, float x, float free[2]) {
    const canvas_font font = font_of(k, 8.5f, false);
    const char *before = stage_name(k->h->rows[row - 1].stage);
    const char *after = stage_name(k->h->rows[row].stage);
    const float y = k->plot.top - 16 * k->unit, gap = 7 * k->unit;
    const float end = x + gap + canvas_text_width(font, after);
    if (x - gap < free[0] || end > free[1])
        return false;
    if (x - gap - canvas_text_width(font, before) >= free[0])
        text(k, x - gap, y, CANVAS_RIGHT, font, event, before);
    text(k, x + gap, y, CANVAS_LEFT, font, ink, after);
    rule(k, (box){x, y - 12 * k->unit, x, k->plot.top}, event);
    free[0] = end + 2 * gap;
    return true;
}

static void draw_stages(chart *k) {
    for (size_t i = 1; i < k->h->n; i++) {
        if (k->h->rows[i].stage == k->h->rows[i - 1].stage)
            continue;
        const float x = event_at(k, i);
        draw_dashes(k, x, 6, 4, event);
        if (!name_stages_above(k, i, x, k->names_free))
            name_stage_inside(k, x, stage_name(k->h->rows[i].stage));
    }
}

/* What the axes show, above them. */
static void draw_names(chart *k) {
    const canvas_font font = font_of(k, 8.5f, true);
    const float y = k->plot.top - 16 * k->unit, gap = 12 * k->unit, edge = 16 * k->unit;
    const char *loss = k->loss.logarithmic ? "loss (logarithmic)" : "loss";
    float right = k->plot.right;
    text(k, edge, y, CANVAS_LEFT, font, series_colours[CHART_AVERAGE], loss);
    if (k->h->metric_name) {
        right = (float)k->c.on->w - edge;
        text(k, right, y, CANVAS_RIGHT, font, series_colours[CHART_METRIC], k->h->metric_name);
        right -= canvas_text_width(font, k->h->metric_name) + gap;
    }
    k->names_free[0] = edge + canvas_text_width(font, loss) + gap;
    k->names_free[1] = right;
}

/* ---- Curves ---- */

static void draw_markers(chart *k) {
    const canvas_point *p = k->curves[CHART_METRIC];
    const float u = k->unit;
    float last = -INFINITY;
    for (int i = 0; i < k->n_points[CHART_METRIC]; i++) {
        if (p[i].x - last < 11 * u)
            continue;
        canvas_disc(&k->c, p[i], 4.6f * u, canvas_rgb(white));
        canvas_disc(&k->c, p[i], 3.4f * u, colour_of(CHART_METRIC));
        last = p[i].x;
    }
}

static void draw_curves(chart *k) {
    static const float widths[CHART_N_SERIES] = {
        [CHART_LOSS] = 1, [CHART_AVERAGE] = 2.4f, [CHART_METRIC] = 1.8f};
    for (int s = 0; s < CHART_N_SERIES; s++) {
        canvas_line(&k->c, k->curves[s], k->n_points[s], widths[s] * k->unit, colour_of(s));
        if (s == CHART_AVERAGE && k->n_points[s])
            canvas_disc(&k->c, k->curves[s][k->n_points[s] - 1], 3 * k->unit, colour_of(s));
    }
    draw_markers(k);
}

static void draw_best(chart *k) {
    if (!k->best)
        return;
    const canvas_font font = font_of(k, 9.5f, true);
    const float u = k->unit;
    const canvas_point p = {axis_at(&k->x, (double)k->best->iteration),
                            axis_at(&k->metric, k->best->metric)};
    char string[TEXT_SIZE];
    snprintf(string, sizeof string, "best %.1f %% at %zu", 100 * k->best->metric,
             k->best->iteration);
    canvas_disc(&k->c, p, 7.5f * u, canvas_rgb(white));
    canvas_disc(&k->c, p, 6.2f * u, colour_of(CHART_METRIC));
    canvas_disc(&k->c, p, 4.2f * u, canvas_rgb(white));
    canvas_disc(&k->c, p, 2.6f * u, colour_of(CHART_METRIC));
    const float w = canvas_text_width(font, string) + 8 * u, h = 20 * u;
    const float lefts[] = {fminf(p.x - w / 2, k->plot.right - w), p.x + 12 * u, p.x - 12 * u - w};
    const float tops[] = {p.y - 12 * u - h, p.y + 12 * u, p.y - h / 2,
                          p.y - 28 * u - h, p.y + 28 * u, p.y + 60 * u};
    box places[18];
    int n = 0;
    for (int i = 0; i < 6; i++)
        for (int j = i == 2; j < 3; j++) { /* not right upon the point itself */
            const float left = fmaxf(lefts[j], k->plot.left);
            places[n++] = (box){left, tops[i], left + w, tops[i] + h};
        }
    place_label(k, places, n, font, series_colours[CHART_METRIC], string);
}

/* ---- Heading ---- */

static float draw_key(chart *k, float right, chart_series series, const char *name) {
    const canvas_font font = font_of(k, 8.5f, false);
    const float u = k->unit, y = 30 * u, middle = y - font.size / 2;
    const float left = right - canvas_text_width(font, name);
    const canvas_point line[] = {{left - 32 * u, middle}, {left - 9 * u, middle}};
    text(k, left, y, CANVAS_LEFT, font, ink, name);
    canvas_line(&k->c, line, 2, (series == CHART_LOSS ? 1.4f : 2.4f) * u, colour_of(series));
    if (series == CHART_METRIC)
        canvas_disc(&k->c, (canvas_point){left - 20.5f * u, middle}, 3.6f * u, colour_of(series));
    return left - 48 * u;
}

/* Returns its left edge. */
static float draw_legend(chart *k) {
    float right = (float)k->c.on->w - 16 * k->unit;
    if (k->h->metric_name)
        right = draw_key(k, right, CHART_METRIC, k->h->metric_name);
    right = draw_key(k, right, CHART_LOSS, "loss");
    return draw_key(k, right, CHART_AVERAGE, "average loss");
}

static void draw_title(chart *k, float right) {
    const box line = {16 * k->unit, 0, right, 31 * k->unit};
    plot_text_within(&k->c, line, font_of(k, 12, true), ink, k->o->title);
}

typedef struct figure {
    const char *name;
    char value[TEXT_SIZE];
} figure;

static void draw_figures(chart *k) {
    const history_row *last = history_last(k->h);
    char best_name[TEXT_SIZE] = "best";
    figure figures[6] = {{.name = "iteration"}};
    int n = 0;
    const size_t done = last ? last->iteration : 0;
    snprintf(figures[n++].value, TEXT_SIZE, "%zu of %zu", done,
             k->o->last_iteration > done ? k->o->last_iteration : done);
    if (last) {
        const double s = last->seconds > 0 && last->seconds < 1e12 ? last->seconds : 0;
        const unsigned long seconds = (unsigned long)s;
        figures[n].name = "average loss";
        snprintf(figures[n++].value, TEXT_SIZE, "%.4g", last->average_loss);
        if (k->best) {
            snprintf(best_name, sizeof best_name, "best %s", k->h->metric_name);
            figures[n].name = best_name;
            snprintf(figures[n++].value, TEXT_SIZE, "%.1f %%", 100 * k->best->metric);
        }
        figures[n].name = "epoch";
        snprintf(figures[n++].value, TEXT_SIZE, "%.1f", last->epoch);
        figures[n].name = "rate";
        snprintf(figures[n++].value, TEXT_SIZE, "%.3g", last->rate);
        figures[n].name = "time";
        snprintf(figures[n++].value, TEXT_SIZE, "%lu:%02lu:%02lu", seconds / 3600,
                 seconds / 60 % 60, seconds % 60);
    }
    const float right = (float)k->c.on->w - 16 * k->unit, y = 59 * k->unit;
    float left = 16 * k->unit;
    for (int i = 0;
         i < n && plot_figure(&k->c, &left, right, y, k->unit, figures[i].name, figures[i].value);
         i++)
        ;
}

static void draw_all(chart *k) {
    draw_title(k, draw_legend(k));
    draw_figures(k);
    draw_x_axis(k);
    draw_loss_axis(k);
    draw_metric_axis(k);
    draw_rate_steps(k, false);
    draw_names(k);
    draw_curves(k);
    draw_frame(k);
    draw_stages(k);
    draw_best(k);
    draw_rate_steps(k, true);
}

gdrq_status chart_draw(const history *h, const chart_options *o, picture *out, gdrq_error *err) {
    const int w = o->width || o->height ? o->width : 1000;
    const int height = o->width || o->height ? o->height : 700;
    *out = (picture){0};
    if (w < 320 || height < 240)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "a chart needs 320 x 240 pixels, not %d x %d", w,
                         height);
    chart k = {.h = h, .o = o, .c = {.on = out, .err = err}};
    k.unit = fmaxf(.6f, fminf((float)w / 1000, (float)height / 700));
    gdrq_status status = picture_make(w, height, (const unsigned char[]){255, 255, 255}, out, err);
    if (status != GDRQ_OK)
        return status;
    lay_out(&k);
    status = make_curves(&k);
    if (status == GDRQ_OK) {
        draw_all(&k);
        status = k.c.status;
    }
    for (int s = 0; s < CHART_N_SERIES; s++)
        free(k.curves[s]);
    if (status != GDRQ_OK)
        picture_free(out);
    return status;
}

gdrq_status chart_save(const history *h, const chart_options *o, const char *path,
                       gdrq_error *err) {
    picture p;
    gdrq_status status = chart_draw(h, o, &p, err);
    if (status == GDRQ_OK)
        status = picture_save(&p, path, err);
    picture_free(&p);
    return status;
}
