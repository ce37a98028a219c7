#include "inspect/percent_axis.h"

#include <string.h>

axis percent_axis_draw(canvas *c, plot_box box, double top, int most) {
    const canvas_font font = {.size = 8.5f};
    char label[AXIS_LABEL_SIZE + 2];
    axis a = axis_linear(0, 100 * top, most);
    a.begin = box.bottom;
    a.end = box.top;
    for (int i = 0; i < a.n_ticks; i++) {
        const float y = axis_at(&a, a.ticks[i]);
        plot_rule(c, (plot_box){box.left, y, box.right, y}, 1, PLOT_GRID);
        axis_label(&a, i, label);
        strcat(label, " %");
        plot_text(c, box.left - 8, y + font.size / 2, CANVAS_RIGHT, font, PLOT_MUTED, label);
    }
    return a;
}
