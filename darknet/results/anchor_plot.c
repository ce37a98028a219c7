#include "results/anchor_plot.h"

#include "image/axis.h"
#include "image/canvas.h"

#include <math.h>
#include <stdio.h>

enum { SIDE = 900, LEFT = 70, RIGHT = 30, TOP = 50, BOTTOM = 60, MOST_DOTS = 50000 };

/* Okabe and Ito's, which people with colour vision deficiencies can tell apart. */
static const unsigned palette[] = {0x0072b2, 0xe69f00, 0x009e73, 0xcc79a7,
                                   0x56b4e9, 0xd55e00, 0x999999};
enum { N_COLOURS = sizeof palette / sizeof *palette };

static const unsigned ink = 0x222222, grid = 0xe4e4e4;
static const canvas_font small = {.size = 10}, bold = {.size = 11, .bold = true};

typedef struct plot {
    canvas canvas;
    axis x, y;
} plot;

static canvas_point place(const plot *p, box_size size) {
    return (canvas_point){axis_at(&p->x, size.w), axis_at(&p->y, size.h)};
}

static void draw_axes(plot *p) {
    char label[AXIS_LABEL_SIZE];
    for (int i = 0; i < p->x.n_ticks; i++) {
        const float x = axis_at(&p->x, p->x.ticks[i]);
        const canvas_point line[] = {{x, TOP}, {x, SIDE - BOTTOM}};
        canvas_line(&p->canvas, line, 2, 1, canvas_rgb(grid));
        axis_label(&p->x, i, label);
        canvas_text(&p->canvas, (canvas_point){x, SIDE - BOTTOM + 20}, CANVAS_CENTRE, small,
                    canvas_rgb(ink), label);
    }
    for (int i = 0; i < p->y.n_ticks; i++) {
        const float y = axis_at(&p->y, p->y.ticks[i]);
        const canvas_point line[] = {{LEFT, y}, {SIDE - RIGHT, y}};
        canvas_line(&p->canvas, line, 2, 1, canvas_rgb(grid));
        axis_label(&p->y, i, label);
        canvas_text(&p->canvas, (canvas_point){LEFT - 8, y + 5}, CANVAS_RIGHT, small,
                    canvas_rgb(ink), label);
    }
    canvas_text(&p->canvas, (canvas_point){(LEFT + SIDE - RIGHT) / 2.f, SIDE - 14}, CANVAS_CENTRE,
                small, canvas_rgb(ink), "width of a box in the network's input");
    canvas_text(&p->canvas, (canvas_point){8, TOP - 24}, CANVAS_LEFT, small, canvas_rgb(ink),
                "height");
}

static void draw_sizes(plot *p, const box_size *sizes, size_t n, const box_size *anchors, int k) {
    const size_t step = n > MOST_DOTS ? (n + MOST_DOTS - 1) / MOST_DOTS : 1;
    for (size_t i = 0; i < n; i += step) {
        canvas_colour colour =
            canvas_rgb(palette[anchors_nearest(sizes[i], anchors, k, NULL) % N_COLOURS]);
        colour.opacity = 110;
        canvas_disc(&p->canvas, place(p, sizes[i]), 2.5f, colour);
    }
}

static void draw_anchors(plot *p, const box_size *anchors, int k) {
    for (int j = 0; j < k; j++) {
        const canvas_point at = place(p, anchors[j]);
        char label[64];
        snprintf(label, sizeof label, "%.4g,%.4g", anchors[j].w, anchors[j].h);
        canvas_disc(&p->canvas, at, 8, canvas_rgb(0xffffff));
        canvas_disc(&p->canvas, at, 6, canvas_rgb(ink));
        canvas_disc(&p->canvas, at, 4, canvas_rgb(palette[j % N_COLOURS]));
        const canvas_point beside = {at.x + 11, at.y + 4};
        const float width = canvas_text_width(bold, label);
        const canvas_colour ground = {255, 255, 255, 190};
        canvas_fill(&p->canvas, beside.x - 2, beside.y - bold.size - 3, beside.x + width + 2,
                    beside.y + 4, ground);
        canvas_text(&p->canvas, beside, CANVAS_LEFT, bold, canvas_rgb(ink), label);
    }
}

static box_size largest(const box_size *sizes, size_t n) {
    box_size most = {0, 0};
    for (size_t i = 0; i < n; i++)
        most = (box_size){fmaxf(most.w, sizes[i].w), fmaxf(most.h, sizes[i].h)};
    return most;
}

gdrq_status anchor_plot_save(const box_size *sizes, size_t n, const box_size *anchors, int k,
                             const char *path, gdrq_error *err) {
    const unsigned char white[3] = {255, 255, 255};
    picture picture;
    gdrq_status status = picture_make(SIDE, SIDE, white, &picture, err);
    if (status != GDRQ_OK)
        return status;
    const box_size most = largest(sizes, n);
    plot p = {.canvas = {.on = &picture, .err = err},
              .x = axis_linear(0, 1.05 * most.w, 10),
              .y = axis_linear(0, 1.05 * most.h, 10)};
    p.x.begin = LEFT;
    p.x.end = SIDE - RIGHT;
    p.y.begin = SIDE - BOTTOM;
    p.y.end = TOP;
    draw_axes(&p);
    draw_sizes(&p, sizes, n, anchors, k);
    draw_anchors(&p, anchors, k);
    status = p.canvas.status;
    if (status == GDRQ_OK)
        status = picture_save(&picture, path, err);
    picture_free(&picture);
    return status;
}
