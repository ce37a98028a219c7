#include "train/augment_colours.h"

#include "base/kernels.h"
#include "train/clamp.h"

#include <math.h>
#include <stddef.h>

colour_change colour_draw(random_stream *random, float hue, float saturation, float exposure) {
    const float turn = random_uniform(random, -hue, hue);
    colour_change change = {.hue = turn - floorf(turn)};
    change.saturation = random_factor(random, saturation);
    change.value = random_factor(random, exposure);
    return change;
}

/* Hue in [0, 6) of a colour whose largest channel is `value`; anything if chroma is 0. */
static inline float hue_of(float r, float g, float b, float value, float chroma) {
    const float from_red = (g - b) / chroma, from_green = (b - r) / chroma;
    const float from_blue = (r - g) / chroma;
    if (r == value)
        return g < b ? 6 + from_red : from_red;
    return g == value ? 2 + from_green : 4 + from_blue;
}

static inline float below_six(float hue) {
    return hue >= 6 ? hue - 6 : hue;
}

/* The share of chroma that the channel loses: 0 within a sixth of its own hue, 1 opposite. */
static inline float chroma_lost(float hue, float offset) {
    const float k = below_six(hue + offset);
    return clamp(least(k, 4 - k), 0, 1);
}

static inline unsigned char to_code(float value) {
    return (unsigned char)(clamp(value, 0, 255) + .5f);
}

/*
 * The HSV change of n pixels without leaving RGB: a channel is V - V*S*f(H), and V*S is the chroma
 * (Smith: Color gamut transform pairs, 1978). `turn` is the hue's change in sixths of the circle.
 */
GDRQ_KERNEL void distort(size_t n, float turn, float saturation, float value,
                         unsigned char *restrict red, unsigned char *restrict green,
                         unsigned char *restrict blue) {
    for (size_t i = 0; i < n; i++) {
        const float r = red[i], g = green[i], b = blue[i];
        const float v = most(r, most(g, b)), chroma = v - least(r, least(g, b));
        const float turned = below_six(hue_of(r, g, b, v, chroma) + turn);
        const float hue = chroma > 0 ? turned : 0, lost = chroma * saturation;
        red[i] = to_code(value * (v - lost * chroma_lost(hue, 5)));
        green[i] = to_code(value * (v - lost * chroma_lost(hue, 3)));
        blue[i] = to_code(value * (v - lost * chroma_lost(hue, 1)));
    }
}

/* Planes of red, green and blue from rows of blue, green, red. */
static void split_planes(const picture *in, bool mirrored, unsigned char *codes) {
    const size_t plane = (size_t)in->w * in->h;
    const ptrdiff_t step = mirrored ? -3 : 3;
    for (int y = 0; y < in->h; y++) {
        const size_t row = (size_t)y * in->w;
        const unsigned char *bgr = in->data + 3 * (mirrored ? row + in->w - 1 : row);
        for (size_t to = row; to < row + in->w; to++, bgr += step) {
            codes[to] = bgr[2];
            codes[plane + to] = bgr[1];
            codes[2 * plane + to] = bgr[0];
        }
    }
}

void colour_planes(const picture *in, bool mirrored, const colour_change *change,
                   unsigned char *codes) {
    const size_t plane = (size_t)in->w * in->h;
    split_planes(in, mirrored, codes);
    distort(plane, 6 * change->hue, change->saturation, change->value, codes, codes + plane,
            codes + 2 * plane);
}
