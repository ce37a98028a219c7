#include "inspect/overview.h"

#include "inspect/histogram.h"
#include "inspect/legend.h"
#include "inspect/percent_axis.h"

#include <math.h>
#include <stdio.h>

/* Pixels. */
enum {
    WIDTH = 1400,
    EDGE = 24,
    HEADER = 84,
    CELL_GAP = 22,
    CELL_TITLE = 46,
    CAPTION = 16, /* above each histogram */
    LOSSES_TOP = 52,
    LOSSES_HEIGHT = 190,
    LOSSES = LOSSES_TOP + LOSSES_HEIGHT + 56,
    LOSSES_LEFT = 70,
    MOST_SERIES = 4,
    TEXT_SIZE = 160,
};

static const canvas_font plain = {.size = 8.5f}, little = {.size = 7},
                         bold = {.size = 10, .bold = true};

typedef enum kind { WEIGHTS_BEFORE, WEIGHTS, INPUT_BEFORE, INPUT } kind;

/* What a layer has one histogram and one bar of each. */
typedef struct series {
    kind of;
    const char *name;
    unsigned colour;
} series;

typedef struct overview {
    const inspection *in;
    canvas canvas;
    series series[MOST_SERIES];
    int n_series;
    int columns, rows;
    float cell_width, cell_height, plot_height;
} overview;

/* Of series s; it may be empty. */
static const gdrq_distribution *distribution_of(const overview *o, const inspected_layer *l,
                                                int s) {
    switch (o->series[s].of) {
    case WEIGHTS_BEFORE:
        return &l->before;
    case INPUT_BEFORE:
        return l->input_before;
    case INPUT:
        return l->input;
    default:
        return &l->weights;
    }
}

static histogram_view view_of(const overview *o, const inspected_layer *l, int s) {
    return o->series[s].of <= WEIGHTS ? histogram_view_of_both(&l->before, &l->weights)
                                      : histogram_view_of_both(l->input_before, l->input);
}

static void lay_out(overview *o) {
    o->columns = (int)fmin(8, fmax(3, ceil(sqrt(1.8 * o->in->n))));
    o->rows = (o->in->n + o->columns - 1) / o->columns;
    o->cell_width = (float)(WIDTH - 2 * EDGE + CELL_GAP) / (float)o->columns - CELL_GAP;
    o->plot_height = fmaxf(60, roundf(.38f * o->cell_width));
    o->cell_height = CELL_TITLE + (float)o->n_series * (CAPTION + o->plot_height + 8);
}

/* ---- layers ---- */

static void draw_small(overview *o, const gdrq_distribution *d, histogram_view view, float left,
                       float top) {
    const histogram h = {.canvas = &o->canvas,
                         .box = {left, top, left + o->cell_width, top + o->plot_height},
                         .unit = 1,
                         .of = d,
                         .view = view,
                         .small = true};
    histogram_draw_values(&h, HISTOGRAM_VALUES, HISTOGRAM_CLIPPED);
    histogram_draw_codes(&h);
    histogram_outline_values(&h);
    histogram_mark_values(&h);
    histogram_mark_codes(&h);
    histogram_draw_uniform(&h);
    histogram_draw_thresholds(&h);
    plot_rule(&o->canvas, (plot_box){left, h.box.bottom, h.box.right, h.box.bottom}, 1, PLOT_FRAME);
}

static void draw_series(overview *o, const inspected_layer *l, int s, float left, float top) {
    const gdrq_distribution *d = distribution_of(o, l, s);
    char caption[TEXT_SIZE] = "none";
    if (d->n)
        snprintf(caption, sizeof caption, "loss %.1f %%", 100 * gdrq_distribution_loss(d));
    plot_text(&o->canvas, left, top + 10, CANVAS_LEFT, little, PLOT_MUTED, o->series[s].name);
    plot_text(&o->canvas, left + o->cell_width, top + 10, CANVAS_RIGHT, little, PLOT_INK, caption);
    if (d->n)
        draw_small(o, d, view_of(o, l, s), left, top + CAPTION);
}

static void draw_cell(overview *o, int i) {
    const inspected_layer *l = &o->in->layers[i];
    const float left = EDGE + (float)(i % o->columns) * (o->cell_width + CELL_GAP);
    const float top = HEADER + (float)(i / o->columns) * o->cell_height;
    char name[16], bits[16];
    snprintf(name, sizeof name, "%d", l->quantisation.layer);
    snprintf(bits, sizeof bits, "W%dA%d", l->quantisation.weight_bits, l->quantisation.input_bits);
    const float text = left + canvas_text_width(bold, name) + 10;
    plot_text(&o->canvas, left, top + 16, CANVAS_LEFT, bold, PLOT_INK, name);
    plot_text_within(&o->canvas, (plot_box){text, 0, left + o->cell_width, top + 16}, little,
                     PLOT_MUTED, l->shape);
    plot_text_within(&o->canvas, (plot_box){text, 0, left + o->cell_width, top + 31}, little,
                     PLOT_MUTED, bits);
    for (int s = 0; s < o->n_series; s++)
        draw_series(o, l, s, left,
                    top + CELL_TITLE + (float)s * (CAPTION + o->plot_height + 8) - 8);
}

/* ---- losses ---- */

static double largest_loss(const overview *o) {
    double most = 0;
    for (int i = 0; i < o->in->n; i++)
        for (int s = 0; s < o->n_series; s++)
            most = fmax(most, gdrq_distribution_loss(distribution_of(o, &o->in->layers[i], s)));
    return most;
}

static void draw_losses_title(overview *o, float top) {
    plot_text(&o->canvas, EDGE, top + 26, CANVAS_LEFT, bold, PLOT_INK,
              "Quantised loss |x - Q(x)| / |x| of each layer");
    float right = WIDTH - EDGE;
    for (int s = o->n_series - 1; s >= 0; s--)
        right = legend_entry(&o->canvas, right, top + 26, 1, o->series[s].colour, false,
                             o->series[s].name);
}

static void draw_losses(overview *o, float top) {
    const plot_box box = {LOSSES_LEFT, top + LOSSES_TOP, WIDTH - EDGE,
                          top + LOSSES_TOP + LOSSES_HEIGHT};
    draw_losses_title(o, top);
    const axis a = percent_axis_draw(&o->canvas, box, 1.08 * fmax(largest_loss(o), 1e-5), 6);
    const float slot = fminf(160, (box.right - box.left) / (float)o->in->n);
    const float width = .8f * slot / (float)o->n_series;
    const int every = (int)ceilf(26 / slot);
    for (int i = 0; i < o->in->n; i++) {
        const inspected_layer *l = &o->in->layers[i];
        const float left = box.left + slot * ((float)i + .1f);
        for (int s = 0; s < o->n_series; s++) {
            const double loss = 100 * gdrq_distribution_loss(distribution_of(o, l, s));
            const float x = left + width * (float)s;
            canvas_fill(&o->canvas, x, axis_at(&a, loss), x + .9f * width, box.bottom,
                        canvas_rgb(o->series[s].colour));
        }
        char label[16];
        snprintf(label, sizeof label, "%d", l->quantisation.layer);
        if (i % every == 0)
            plot_text(&o->canvas, left + .4f * slot, box.bottom + 19, CANVAS_CENTRE, plain,
                      PLOT_INK, label);
    }
    plot_rule(&o->canvas, (plot_box){box.left, box.bottom, box.right, box.bottom}, 1, PLOT_MUTED);
    plot_text(&o->canvas, box.left, box.bottom + 39, CANVAS_LEFT, plain, PLOT_MUTED, "layer");
}

/* ---- all of it ---- */

static void draw_all(overview *o) {
    char files[3 * TEXT_SIZE];
    const float right = legend_draw(&o->canvas, WIDTH - EDGE, 36, 1);
    plot_text_within(&o->canvas, (plot_box){EDGE, 0, right, 37}, (canvas_font){12, true}, PLOT_INK,
                     "What quantising does to each layer");
    inspection_files(o->in, files, sizeof files);
    plot_text_within(&o->canvas, (plot_box){EDGE, 0, WIDTH - EDGE, 63}, plain, PLOT_MUTED, files);
    for (int i = 0; i < o->in->n; i++)
        draw_cell(o, i);
    const float top = HEADER + (float)o->rows * o->cell_height + 8;
    plot_rule(&o->canvas, (plot_box){EDGE, top, WIDTH - EDGE, top}, 1, PLOT_FRAME);
    draw_losses(o, top);
}

gdrq_status overview_save(const inspection *in, const char *path, gdrq_error *err) {
    picture p;
    overview o = {.in = in, .canvas = {.on = &p, .err = err}};
    if (in->before)
        o.series[o.n_series++] = (series){WEIGHTS_BEFORE, "weights before", HISTOGRAM_BEFORE};
    o.series[o.n_series++] = (series){WEIGHTS, "weights", HISTOGRAM_CODES};
    if (in->inputs_before)
        o.series[o.n_series++] = (series){INPUT_BEFORE, "input before", HISTOGRAM_INPUT_BEFORE};
    if (in->inputs)
        o.series[o.n_series++] = (series){INPUT, "input", HISTOGRAM_INPUT};
    lay_out(&o);
    const int height = (int)(HEADER + (float)o.rows * o.cell_height) + 8 + LOSSES;
    gdrq_status status =
        picture_make(WIDTH, height, (const unsigned char[]){255, 255, 255}, &p, err);
    if (status != GDRQ_OK)
        return status;
    draw_all(&o);
    status = o.canvas.status == GDRQ_OK ? picture_save(&p, path, err) : o.canvas.status;
    picture_free(&p);
    return status;
}
