#include "results/json_object.h"

#include "results/json_text.h"

void json_put_object(FILE *out, const box *b, int class_id, const char *name, float score, int w,
                     int h) {
    fprintf(out, "{\"class_id\":%d, \"name\":", class_id);
    json_put_string(out, name);
    fprintf(out,
            ", \"relative_coordinates\":{\"center_x\":%f, \"center_y\":%f, \"width\":%f, "
            "\"height\":%f}",
            b->x, b->y, b->w, b->h);
    if (w)
        fprintf(out, ", \"pixels\":{\"left\":%.1f, \"top\":%.1f, \"width\":%.1f, \"height\":%.1f}",
                (b->x - b->w / 2) * w, (b->y - b->h / 2) * h, b->w * w, b->h * h);
    fprintf(out, ", \"confidence\":%f}", score);
}
