#include "image/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 200 };

void plot_rule(canvas *c, plot_box line, float unit, unsigned colour) {
    const float width = fmaxf(1, roundf(unit));
    if (line.left == line.right)
        line.left = floorf(line.left), line.right = line.left + width;
    else
        line.top = floorf(line.top), line.bottom = line.top + width;
    canvas_fill(c, line.left, line.top, line.right, line.bottom, canvas_rgb(colour));
}

void plot_dashes(canvas *c, plot_box line, float dash, float gap, float unit, unsigned colour) {
    const float length = dash * unit, step = (dash + gap) * unit;
    if (line.left == line.right)
        for (float y = line.top; y < line.bottom; y += step)
            plot_rule(c, (plot_box){line.left, y, line.left, fminf(y + length, line.bottom)}, unit,
                      colour);
    else
        for (float x = line.left; x < line.right; x += step)
            plot_rule(c, (plot_box){x, line.top, fminf(x + length, line.right), line.top}, unit,
                      colour);
}

void plot_text(canvas *c, float x, float y, canvas_align align, canvas_font font, unsigned colour,
               const char *text) {
    canvas_text(c, (canvas_point){x, y}, align, font, canvas_rgb(colour), text);
}

void plot_text_within(canvas *c, plot_box line, canvas_font font, unsigned colour,
                      const char *text) {
    char cut[TEXT_SIZE];
    snprintf(cut, sizeof cut, "%s", text);
    size_t n = strlen(cut);
    while (n > 3 && line.left + canvas_text_width(font, cut) > line.right) {
        strcpy(cut + n - 4, "...");
        n--;
    }
    plot_text(c, line.left, line.bottom, CANVAS_LEFT, font, colour, cut);
}

bool plot_figure(canvas *c, float *left, float right, float y, float unit, const char *name,
                 const char *value) {
    const canvas_font plain = {9 * unit, false}, bold = {9 * unit, true};
    const float middle = *left + canvas_text_width(plain, name) + 7 * unit;
    const float end = middle + canvas_text_width(bold, value);
    if (end > right)
        return false;
    plot_text(c, *left, y, CANVAS_LEFT, plain, PLOT_MUTED, name);
    plot_text(c, middle, y, CANVAS_LEFT, bold, PLOT_INK, value);
    *left = end + 26 * unit;
    return true;
}
