#include "sensitivity/sensitivity_picture.h"

#include "image/axis.h"
#include "image/plot.h"
#include "sensitivity/sensitivity_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels. */
enum {
    EDGE = 28,
    HEADER = 190,
    LAYER_RIGHT = EDGE + 36, /* right end of a layer's number */
    SHAPE_LEFT = LAYER_RIGHT + 16,
    SHAPE_WIDTH = 196,
    WEIGHTS_RIGHT = SHAPE_LEFT + SHAPE_WIDTH + 84,
    CELLS = WEIGHTS_RIGHT + 20,
    CELL_WIDTH = 66,
    CELL_HEIGHT = 24,
    BETWEEN = 34, /* weights and activations */
    LEAST_WIDTH = 900,
    SCALE_WIDTH = 340,
    SCALE_HEIGHT = 12,
    SCALE_TOP = 104,
    TEXT_SIZE = 320,
};

static const canvas_font heading = {12, true}, plain = {8.5f, false}, number = {7, false},
                         strong = {7, true};

/* From little to much: light to dark, also without colours. */
static const unsigned ramp[] = {0xf7f4e9, 0xf6dfa4, 0xf2b56b, 0xe07b54,
                                0xb4405a, 0x6d1f5e, 0x2f0f4a};
enum { COLOURS = sizeof ramp / sizeof *ramp };

typedef struct heat {
    const sensitivity *s;
    const proposal *p;
    canvas c;
    axis scale;
    float activations; /* where their cells begin */
    float width;
} heat;

/* ---- colours ---- */

static unsigned char between(unsigned from, unsigned to, int shift, double share) {
    const double a = from >> shift & 255, b = to >> shift & 255;
    return (unsigned char)lrint(a + share * (b - a));
}

/* share: 0..1 */
static canvas_colour ramp_colour(double share) {
    const double at = share * (COLOURS - 1);
    const int i = (int)fmin(at, COLOURS - 2);
    const unsigned from = ramp[i], to = ramp[i + 1];
    return (canvas_colour){between(from, to, 0, at - i), between(from, to, 8, at - i),
                           between(from, to, 16, at - i), 255};
}

static double share_of(const heat *h, double error) {
    axis unit = h->scale;
    unit.begin = 0;
    unit.end = 1;
    return axis_at(&unit, error);
}

static void widen(double *least, double *most, const double *errors) {
    for (int b = BITS_FIRST; b < BITS_END; b++)
        if (errors[b] > 0 && isfinite(errors[b])) {
            *least = fmin(*least, errors[b]);
            *most = fmax(*most, errors[b]);
        }
}

/* Drops of a metric may be 0 or less, and have no finer steps than hundredths of a point. */
static axis make_scale(const sensitivity *s) {
    double least = INFINITY, most = 0;
    for (int i = 0; i < s->n; i++) {
        widen(&least, &most, s->layers[i].weight_errors);
        widen(&least, &most, s->layers[i].activation_errors);
    }
    if (s->metric)
        least = fmax(least, .01);
    return most > 0 ? axis_logarithmic(fmin(least, most), most, 7) : axis_logarithmic(.01, 1, 7);
}

/* ---- header ---- */

static void draw_scale(heat *h) {
    char label[AXIS_LABEL_SIZE + 8];
    h->scale.begin = EDGE;
    h->scale.end = EDGE + SCALE_WIDTH;
    for (int x = 0; x < SCALE_WIDTH; x++)
        canvas_fill(&h->c, (float)(EDGE + x), SCALE_TOP, (float)(EDGE + x + 1),
                    SCALE_TOP + SCALE_HEIGHT, ramp_colour((x + .5) / SCALE_WIDTH));
    float free = 0; /* right end of the last label */
    for (int i = 0; i < h->scale.n_ticks; i++) {
        const float x = axis_at(&h->scale, h->scale.ticks[i]);
        axis_label(&h->scale, i, label);
        const float half = canvas_text_width(plain, label) / 2;
        plot_rule(&h->c, (plot_box){x, SCALE_TOP + SCALE_HEIGHT, x, SCALE_TOP + SCALE_HEIGHT + 5},
                  1, PLOT_MUTED);
        if (x - half < free)
            continue;
        plot_text(&h->c, x, SCALE_TOP + SCALE_HEIGHT + 19, CANVAS_CENTRE, plain, PLOT_MUTED, label);
        free = x + half + 8;
    }
    plot_text(&h->c, EDGE + SCALE_WIDTH + 14, SCALE_TOP + SCALE_HEIGHT - 1, CANVAS_LEFT, plain,
              PLOT_MUTED, sensitivity_unit(h->s));
}

/* The frame that marks chosen bits, and what they come to. */
static void draw_choice(heat *h) {
    const proposal_row *r = &h->p->rows[PROPOSAL_CHOSEN];
    char predicted[32], measured[32], line[TEXT_SIZE];
    if (!h->p->n)
        return;
    sensitivity_number(r->predicted, predicted, sizeof predicted);
    sensitivity_number(r->measured, measured, sizeof measured);
    snprintf(line, sizeof line,
             "framed: proposed, %.4g MB, %.3g bits a weight; error predicted %s, measured %s %s",
             r->bytes / 1e6, r->mean_bits, predicted, measured, sensitivity_unit(h->s));
    plot_text_within(&h->c, (plot_box){EDGE, 0, h->width - EDGE, 84}, plain, PLOT_INK, line);
}

static const char *file_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void draw_header(heat *h) {
    char line[TEXT_SIZE], names[TEXT_SIZE];
    snprintf(names, sizeof names, "What bits cost in %.120s with %.120s", file_of(h->s->cfg),
             file_of(h->s->weights));
    plot_text_within(&h->c, (plot_box){EDGE, 0, h->width - EDGE, 38}, heading, PLOT_INK, names);
    sensitivity_title(h->s, line, sizeof line);
    plot_text_within(&h->c, (plot_box){EDGE, 0, h->width - EDGE, 62}, plain, PLOT_MUTED, line);
    draw_choice(h);
    draw_scale(h);
}

/* ---- cells ---- */

static void draw_heading(heat *h, float left, bit_set set, const char *what) {
    plot_text(&h->c, left, HEADER - 28, CANVAS_LEFT, plain, PLOT_INK, what);
    for (int b = BITS_FIRST; b < BITS_END; b++) {
        char text[8];
        if (!bits_has(set, b))
            continue;
        snprintf(text, sizeof text, "%d", b);
        plot_text(&h->c, left + CELL_WIDTH / 2.f, HEADER - 9, CANVAS_CENTRE, plain, PLOT_MUTED,
                  text);
        left += CELL_WIDTH;
    }
}

static void draw_cell(heat *h, float left, float top, double error, bool chosen) {
    char text[32];
    const double share = error > 0 ? share_of(h, error) : 0;
    const float right = left + CELL_WIDTH, bottom = top + CELL_HEIGHT;
    if (chosen)
        canvas_fill(&h->c, left, top, right - 1, bottom - 1, canvas_rgb(0x1668c7));
    const float inset = chosen ? 3 : 0;
    canvas_fill(&h->c, left + inset, top + inset, right - 1 - inset, bottom - 1 - inset,
                ramp_colour(share));
    sensitivity_number(error, text, sizeof text);
    plot_text(&h->c, left + CELL_WIDTH / 2.f, top + CELL_HEIGHT / 2.f + 3, CANVAS_CENTRE,
              chosen ? strong : number, share > .5 ? PLOT_WHITE : PLOT_INK, text);
}

static void draw_cells(heat *h, float left, float top, bit_set set, const double *errors,
                       int chosen) {
    for (int b = BITS_FIRST; b < BITS_END; b++) {
        if (!bits_has(set, b))
            continue;
        draw_cell(h, left, top, errors[b], b == chosen);
        left += CELL_WIDTH;
    }
}

static void draw_no_cells(heat *h, const sensitive_layer *l, float y) {
    char text[64];
    if (l->reads_pixels)
        snprintf(text, sizeof text, "reads pixels");
    else
        snprintf(text, sizeof text, "reads what layer %d reads", l->quantisation.input_reader);
    plot_text(&h->c, h->activations, y, CANVAS_LEFT, number, PLOT_MUTED, text);
}

static void draw_layer(heat *h, int i) {
    const sensitive_layer *l = &h->s->layers[i];
    const layer_bits none = {0};
    const layer_bits *chosen = h->p->n ? &h->p->rows[PROPOSAL_CHOSEN].bits[i] : &none;
    const float top = HEADER + (float)(i * CELL_HEIGHT), y = top + CELL_HEIGHT / 2.f + 3;
    char text[32];
    snprintf(text, sizeof text, "%d", l->quantisation.layer);
    plot_text(&h->c, LAYER_RIGHT, y, CANVAS_RIGHT, plain, PLOT_INK, text);
    plot_text_within(&h->c, (plot_box){SHAPE_LEFT, 0, SHAPE_LEFT + SHAPE_WIDTH, y}, number,
                     PLOT_MUTED, l->shape);
    snprintf(text, sizeof text, "%zu", sensitive_layer_weights(l));
    plot_text(&h->c, WEIGHTS_RIGHT, y, CANVAS_RIGHT, number, PLOT_INK, text);
    draw_cells(h, CELLS, top, h->s->weight_bits, l->weight_errors, chosen->weights);
    if (l->has_tensor)
        draw_cells(h, h->activations, top, h->s->activation_bits, l->activation_errors,
                   chosen->activations);
    else
        draw_no_cells(h, l, y);
}

static void draw_all(heat *h) {
    draw_header(h);
    plot_text(&h->c, LAYER_RIGHT, HEADER - 9, CANVAS_RIGHT, plain, PLOT_MUTED, "layer");
    plot_text(&h->c, WEIGHTS_RIGHT, HEADER - 9, CANVAS_RIGHT, plain, PLOT_MUTED, "weights");
    draw_heading(h, CELLS, h->s->weight_bits, "bits of weights");
    draw_heading(h, h->activations, h->s->activation_bits, "bits of the input");
    for (int i = 0; i < h->s->n; i++)
        draw_layer(h, i);
}

gdrq_status sensitivity_picture_save(const sensitivity *s, const proposal *p, const char *path,
                                     gdrq_error *err) {
    picture image;
    heat h = {.s = s, .p = p, .c = {.on = &image, .err = err}, .scale = make_scale(s)};
    h.activations = (float)(CELLS + CELL_WIDTH * bits_count(s->weight_bits) + BETWEEN);
    const int shared = 200; /* at least, for what stands where there are no cells */
    const int cells = CELL_WIDTH * bits_count(s->activation_bits);
    h.width = fmaxf(LEAST_WIDTH, h.activations + (float)(cells > shared ? cells : shared) + EDGE);
    gdrq_status status = picture_make((int)h.width, HEADER + s->n * CELL_HEIGHT + EDGE,
                                      (const unsigned char[]){255, 255, 255}, &image, err);
    if (status != GDRQ_OK)
        return status;
    draw_all(&h);
    status = h.c.status == GDRQ_OK ? picture_save(&image, path, err) : h.c.status;
    picture_free(&image);
    return status;
}
