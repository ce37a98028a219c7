#include "image/overlay.h"

#include <math.h>

/* Opacity in 1/256. */
static unsigned char blend(unsigned char below, unsigned char above, int opacity) {
    return (unsigned char)((below * (256 - opacity) + above * opacity + 128) >> 8);
}

void overlay_draw(picture *p, const unsigned char *classes, const palette *colours, float opacity,
                  int void_index) {
    const int share = (int)lrintf(opacity * 256);
#pragma omp parallel for schedule(static)
    for (int y = 0; y < p->h; y++) {
        const unsigned char *class_id = classes + (size_t)y * (size_t)p->w;
        unsigned char *bgr = p->data + 3 * (size_t)y * (size_t)p->w;
        for (int x = 0; x < p->w; x++, bgr += 3) {
            if (class_id[x] == void_index)
                continue;
            const unsigned char *rgb = colours->rgb[class_id[x]];
            for (int c = 0; c < 3; c++)
                bgr[c] = blend(bgr[c], rgb[2 - c], share);
        }
    }
}
