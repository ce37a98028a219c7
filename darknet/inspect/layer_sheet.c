#include "inspect/layer_sheet.h"

#include "inspect/histogram.h"
#include "inspect/legend.h"
#include "inspect/percent_axis.h"
#include "quantised_network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels. */
enum {
    WIDTH = 1120,
    EDGE = 20,
    HEADER = 84,
    ROW = 318,
    PANEL_TOP = 62, /* in a row */
    PANEL_HEIGHT = 190,
    PANEL_LEFT = 66,
    PANEL_GAP = 74,
    PANEL_WIDTH = (WIDTH - PANEL_LEFT - PANEL_GAP - EDGE) / 2,
    TEXT_SIZE = 160,
    MOST_ROWS = 4,
};

static const canvas_font plain = {.size = 8.5f}, bold = {.size = 10, .bold = true};

typedef struct sheet_row {
    const char *title;
    const gdrq_distribution *of;
    histogram_view view;
    const char *threshold_name;
    char bits[TEXT_SIZE], threshold[TEXT_SIZE];
    bool grouped;
} sheet_row;

/* ---- axes ---- */

/* A tick for each level of the grid, or for every 2nd, 4th and so on. */
static void draw_levels(const histogram *h) {
    const float step = histogram_x(h, h->view.from + 1) - h->box.left;
    int every = 1;
    while (step * (float)every < 5)
        every *= 2;
    for (int c = h->of->min; c <= h->of->max; c++) {
        const float x = histogram_x(h, c);
        if (c % every == 0 || c == h->of->max || c == h->of->min)
            plot_rule(h->canvas, (plot_box){x, h->box.bottom, x, h->box.bottom + 5}, 1, PLOT_MUTED);
    }
    plot_rule(h->canvas, (plot_box){h->box.left, h->box.bottom, h->box.right, h->box.bottom}, 1,
              PLOT_MUTED);
}

static void label_x(const histogram *h, double steps, unsigned colour, const char *label) {
    plot_text(h->canvas, histogram_x(h, steps), h->box.bottom + 20, CANVAS_CENTRE, plain, colour,
              label);
}

static void draw_thresholds_axis(const histogram *h, const char *name) {
    char label[16];
    for (int k = -GDRQ_BIN_THRESHOLDS; k <= GDRQ_BIN_THRESHOLDS; k++) {
        const double at = k * h->of->max;
        if (at < h->view.from || at > h->view.to)
            continue;
        snprintf(label, sizeof label, k == 0 ? "0" : k == 1 ? "T" : k == -1 ? "-T" : "%dT", k);
        label_x(h, at, PLOT_INK, label);
    }
    plot_text(h->canvas, (h->box.left + h->box.right) / 2, h->box.bottom + 40, CANVAS_CENTRE, plain,
              PLOT_MUTED, name);
}

static void draw_codes_axis(const histogram *h) {
    char label[AXIS_LABEL_SIZE];
    const float width = histogram_x(h, h->of->max) - histogram_x(h, h->of->min);
    const float label_width = canvas_text_width(plain, "-8") * (h->of->max < 100 ? 1.6f : 3);
    const int codes = h->of->max - h->of->min + 1, room = (int)(width / label_width);
    const int most = (int)fmax(2, fmin(AXIS_MOST_TICKS, fmin(codes, room)));
    const axis a = axis_linear(h->of->min, h->of->max, most);
    for (int i = 0; i < a.n_ticks; i++) {
        axis_label(&a, i, label);
        label_x(h, a.ticks[i], PLOT_INK, label);
    }
    plot_text(h->canvas, (h->box.left + h->box.right) / 2, h->box.bottom + 40, CANVAS_CENTRE, plain,
              PLOT_MUTED, "code");
}

/* ---- panels ---- */

static histogram make_panel(canvas *c, const sheet_row *row, float left, float top) {
    return (histogram){.canvas = c,
                       .box = {left, top, left + PANEL_WIDTH, top + PANEL_HEIGHT},
                       .unit = 1,
                       .of = row->of,
                       .view = row->view};
}

static void draw_panel_title(const histogram *h, const char *title) {
    plot_text(h->canvas, h->box.left, h->box.top - 9, CANVAS_LEFT, plain, PLOT_INK, title);
}

static void draw_values_panel(canvas *c, const sheet_row *row, float top) {
    const histogram h = make_panel(c, row, PANEL_LEFT, top);
    draw_panel_title(&h, "values: share per step of the grid");
    percent_axis_draw(c, h.box, h.view.top, 5);
    histogram_draw_values(&h, HISTOGRAM_VALUES, HISTOGRAM_CLIPPED);
    histogram_draw_thresholds(&h);
    histogram_mark_values(&h);
    draw_levels(&h);
    draw_thresholds_axis(&h, row->grouped ? "value, in parts of its group's T" : "value");
}

static void draw_codes_panel(canvas *c, const sheet_row *row, float top) {
    const histogram h = make_panel(c, row, PANEL_LEFT + PANEL_WIDTH + PANEL_GAP, top);
    draw_panel_title(&h, "codes, after clipping at T and rounding: share per code");
    percent_axis_draw(c, h.box, h.view.top, 5);
    histogram_draw_values(&h, HISTOGRAM_SHADE, PLOT_WHITE);
    histogram_draw_codes(&h);
    histogram_mark_codes(&h);
    histogram_draw_uniform(&h);
    histogram_draw_thresholds(&h);
    draw_levels(&h);
    draw_codes_axis(&h);
}

static void draw_figures(canvas *c, const sheet_row *row, float y) {
    const gdrq_distribution *d = row->of;
    char loss[TEXT_SIZE], clipped[TEXT_SIZE], codes[TEXT_SIZE], distance[TEXT_SIZE];
    snprintf(loss, sizeof loss, "%.2f %%", 100 * gdrq_distribution_loss(d));
    snprintf(clipped, sizeof clipped, "%.2f %%", 100 * gdrq_distribution_clipped(d));
    snprintf(codes, sizeof codes, "%d of %d", gdrq_distribution_codes_used(d), d->max - d->min + 1);
    snprintf(distance, sizeof distance, "%.3f", gdrq_distribution_distance(d));
    const char *const figures[][2] = {{"", row->bits},  {row->threshold_name, row->threshold},
                                      {"loss", loss},   {"clipped", clipped},
                                      {"codes", codes}, {"from uniform", distance}};
    float left = PANEL_LEFT + canvas_text_width(bold, row->title) + 22;
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (!plot_figure(c, &left, WIDTH - EDGE, y, 1, figures[i][0], figures[i][1]))
            return;
}

static void draw_row(canvas *c, const sheet_row *row, float top) {
    plot_rule(c, (plot_box){EDGE, top, WIDTH - EDGE, top}, 1, PLOT_FRAME);
    plot_text(c, PANEL_LEFT, top + 27, CANVAS_LEFT, bold, PLOT_INK, row->title);
    draw_figures(c, row, top + 27);
    draw_values_panel(c, row, top + PANEL_TOP);
    draw_codes_panel(c, row, top + PANEL_TOP);
}

/* ---- the sheet ---- */

static sheet_row weights_row(const char *title, const inspected_layer *l,
                             const gdrq_distribution *d, const threshold_span *t) {
    sheet_row row = {.title = title,
                     .of = d,
                     .view = histogram_view_of_both(&l->before, &l->weights),
                     .threshold_name = "T",
                     .grouped = l->quantisation.groups > 1};
    const int groups = l->quantisation.groups;
    snprintf(row.bits, sizeof row.bits, "%d bits, %d group%s", l->quantisation.weight_bits, groups,
             groups == 1 ? "" : "s");
    if (row.grouped)
        snprintf(row.threshold, sizeof row.threshold, "%.3g to %.3g", t->least, t->most);
    else
        snprintf(row.threshold, sizeof row.threshold, "%.4g", t->mean);
    return row;
}

static sheet_row input_row(const char *title, const inspected_layer *l, const gdrq_distribution *d,
                           float threshold) {
    sheet_row row = {.title = title,
                     .of = d,
                     .view = histogram_view_of_both(l->input_before, l->input),
                     .threshold_name = "T"};
    snprintf(row.bits, sizeof row.bits, "%d bits, %s", l->quantisation.input_bits,
             l->quantisation.input_range);
    snprintf(row.threshold, sizeof row.threshold, "%.4g", (double)threshold);
    return row;
}

/* T of pixels is always 1. */
static sheet_row input_before_row(const inspection *in, const inspected_layer *l) {
    sheet_row row = input_row("Input before", l, l->input_before, l->input_threshold_before);
    if (in->rule_before && strcmp(l->quantisation.input_range, "pixels") != 0)
        row.threshold_name = "T by cfg's rule";
    return row;
}

static int make_rows(const inspection *in, const inspected_layer *l, sheet_row *rows) {
    int n = 0;
    if (l->before.n)
        rows[n++] = weights_row("Weights before", l, &l->before, &l->threshold_before);
    rows[n++] = weights_row("Weights", l, &l->weights, &l->threshold);
    if (l->input_before)
        rows[n++] = input_before_row(in, l);
    if (l->input)
        rows[n++] = input_row("Input", l, l->input, l->quantisation.input_threshold);
    return n;
}

static void draw_header(canvas *c, const inspection *in, const inspected_layer *l) {
    char title[TEXT_SIZE], files[3 * TEXT_SIZE];
    snprintf(title, sizeof title, "Layer %d, %s, %s%s", l->quantisation.layer,
             quantised_type(&l->quantisation), l->shape,
             l->quantisation.connected ? "" : " channels");
    const float right = legend_draw(c, WIDTH - EDGE, 34, 1);
    plot_text_within(c, (plot_box){EDGE, 0, right, 36}, (canvas_font){12, true}, PLOT_INK, title);
    inspection_files(in, files, sizeof files);
    plot_text_within(c, (plot_box){EDGE, 0, WIDTH - EDGE, 62}, plain, PLOT_MUTED, files);
}

gdrq_status layer_sheet_save(const inspection *in, const inspected_layer *l, const char *path,
                             gdrq_error *err) {
    sheet_row rows[MOST_ROWS];
    const int n = make_rows(in, l, rows);
    picture p;
    gdrq_status status =
        picture_make(WIDTH, HEADER + n * ROW, (const unsigned char[]){255, 255, 255}, &p, err);
    if (status != GDRQ_OK)
        return status;
    canvas c = {.on = &p, .err = err};
    draw_header(&c, in, l);
    for (int i = 0; i < n; i++)
        draw_row(&c, &rows[i], (float)(HEADER + i * ROW));
    status = c.status == GDRQ_OK ? picture_save(&p, path, err) : c.status;
    picture_free(&p);
    return status;
}
