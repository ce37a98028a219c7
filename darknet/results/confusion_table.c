#include "results/confusion_table.h"

#include "image/plot.h"
#include "results/text_column.h"

#include <math.h>

/* ---- text ---- */

enum { NUMBER_COLUMN = 3, NAME_COLUMN = 17, CELL_COLUMN = 5 };

/* Per cent of the pixels of class `truth`; 0 if it has none. */
static double percent(const confusion *c, int truth, int found) {
    const uint64_t all = confusion_true_pixels(c, truth);
    return all ? 100 * (double)confusion_at(c, truth, found) / (double)all : 0;
}

/* Numbers tell columns apart whose names begin alike. */
static void print_heading(const confusion *c, const char *const *names, FILE *out) {
    enum { BEFORE = NUMBER_COLUMN + 1 + NAME_COLUMN };
    text_column_left("true \\ found, in %", BEFORE, out);
    for (int k = 0; k < c->classes; k++)
        fprintf(out, "  %*d", CELL_COLUMN, k);
    fputc('\n', out);
    if (!names)
        return;
    text_column_left("", BEFORE, out);
    for (int k = 0; k < c->classes; k++) {
        fputs("  ", out);
        text_column_right(names[k], CELL_COLUMN, out);
    }
    fputc('\n', out);
}

void confusion_print(const confusion *c, const char *const *names, FILE *out) {
    print_heading(c, names, out);
    for (int i = 0; i < c->classes; i++) {
        fprintf(out, "%*d ", NUMBER_COLUMN, i);
        text_column_left(names ? names[i] : "", NAME_COLUMN, out);
        for (int k = 0; k < c->classes; k++)
            fprintf(out, "  %5.1f", percent(c, i, k));
        fputc('\n', out);
    }
}

/* ---- picture ---- */

enum { LEFT = 130, TOP = 60, MARGIN = 20, LARGEST_CELL = 64, MOST_SIDE = 4000 };

static const canvas_font small = {.size = 8}, bold = {.size = 10, .bold = true};

typedef struct drawing {
    const confusion *counts;
    canvas canvas;
    float cell; /* side in pixels */
} drawing;

/* From white to a dark blue. */
static unsigned shade(double share) {
    static const int light[] = {255, 255, 255}, dark[] = {8, 48, 107};
    unsigned colour = 0;
    for (int i = 0; i < 3; i++)
        colour = colour << 8 | (unsigned)lrint(light[i] + share * (dark[i] - light[i]));
    return colour;
}

static void draw_cell(drawing *d, int truth, int found) {
    const double share = percent(d->counts, truth, found) / 100;
    const float x = LEFT + d->cell * (float)found, y = TOP + d->cell * (float)truth;
    char text[16];
    canvas_fill(&d->canvas, x, y, x + d->cell - 1, y + d->cell - 1, canvas_rgb(shade(share)));
    snprintf(text, sizeof text, "%.0f", 100 * share);
    if (d->cell >= 24 && share >= .005)
        plot_text(&d->canvas, x + d->cell / 2, y + d->cell / 2 + 4, CANVAS_CENTRE, small,
                  share > .5 ? PLOT_WHITE : PLOT_INK, text);
}

/* All that the font has. */
static bool is_ascii(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text >= 128)
            return false;
    return true;
}

static void draw_names(drawing *d, const char *const *names) {
    for (int k = 0; k < d->counts->classes && d->cell >= 12; k++) {
        const float middle = d->cell * ((float)k + .5f);
        char number[16], label[300];
        snprintf(number, sizeof number, "%d", k);
        snprintf(label, sizeof label, "%d %s", k, names && is_ascii(names[k]) ? names[k] : "");
        plot_text(&d->canvas, LEFT + middle, TOP - 6, CANVAS_CENTRE, small, PLOT_INK, number);
        plot_text_within(&d->canvas, (plot_box){8, TOP + middle + 4, LEFT - 8, TOP + middle + 4},
                         small, PLOT_INK, label);
    }
}

gdrq_status confusion_draw(const confusion *c, const char *const *names, const char *path,
                           gdrq_error *err) {
    static const unsigned char white[3] = {255, 255, 255};
    const float cell = fminf(LARGEST_CELL, (float)MOST_SIDE / (float)c->classes);
    const int side = (int)(cell * (float)c->classes);
    picture p;
    gdrq_status status = picture_make(LEFT + side + MARGIN, TOP + side + MARGIN, white, &p, err);
    if (status != GDRQ_OK)
        return status;
    drawing d = {.counts = c, .canvas = {.on = &p, .err = err}, .cell = cell};
    plot_text(&d.canvas, 8, 22, CANVAS_LEFT, bold, PLOT_INK,
              "Found classes of each true class's pixels, in per cent");
    draw_names(&d, names);
    for (int i = 0; i < c->classes; i++)
        for (int k = 0; k < c->classes; k++)
            draw_cell(&d, i, k);
    status = d.canvas.status == GDRQ_OK ? picture_save(&p, path, err) : d.canvas.status;
    picture_free(&p);
    return status;
}
