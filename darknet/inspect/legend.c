#include "inspect/legend.h"

#include "inspect/histogram.h"

float legend_entry(canvas *c, float right, float y, float unit, unsigned colour, bool dashed,
                   const char *name) {
    const canvas_font font = {.size = 8.5f * unit};
    const float left = right - canvas_text_width(font, name), mark = left - 8 * unit;
    plot_text(c, left, y, CANVAS_LEFT, font, PLOT_INK, name);
    if (dashed) {
        const float middle = y - font.size / 2;
        plot_dashes(c, (plot_box){mark - 21 * unit, middle, mark, middle}, 5, 3, unit, colour);
        return mark - 39 * unit;
    }
    canvas_fill(c, mark - 11 * unit, y - 10 * unit, mark, y + unit, canvas_rgb(colour));
    return mark - 29 * unit;
}

float legend_draw(canvas *c, float right, float y, float unit) {
    right = legend_entry(c, right, y, unit, HISTOGRAM_UNIFORM, true, "uniform");
    right = legend_entry(c, right, y, unit, HISTOGRAM_CLIPPED, true, "T");
    right = legend_entry(c, right, y, unit, HISTOGRAM_CODES, false, "codes");
    right = legend_entry(c, right, y, unit, HISTOGRAM_CLIPPED, false, "clipped");
    return legend_entry(c, right, y, unit, HISTOGRAM_VALUES, false, "values");
}
