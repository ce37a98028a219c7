#include "train/augment.h"

#include <math.h>
#include <string.h>

static const unsigned char ground[3] = {128, 128, 128};

static int at_least_one(float size) {
    return size > 1 ? (int)lrintf(size) : 1;
}

/* A factor in [1/limit, limit]. */
static float random_factor(random_stream *random, float limit) {
    const float factor = random_uniform(random, 1, limit);
    return random_below(random, 2) ? factor : 1 / factor;
}

augment_plan augment_draw(random_stream *random, const augment_options *options, int w, int h,
                          int net_w, int net_h) {
    const float dw = options->jitter * w, dh = options->jitter * h;
    const float new_w = w + random_uniform(random, -dw, dw);
    const float new_h = h + random_uniform(random, -dh, dh);
    const float aspect = fmaxf(new_w, 1) / fmaxf(new_h, 1);
    augment_plan plan = {.net_w = net_w, .net_h = net_h};
    if (aspect < 1) {
        plan.h = net_h;
        plan.w = at_least_one(net_h * aspect);
    } else {
        plan.w = net_w;
        plan.h = at_least_one(net_w / aspect);
    }
    plan.x = (int)lrintf(random_uniform(random, 0, net_w - plan.w));
    plan.y = (int)lrintf(random_uniform(random, 0, net_h - plan.h));
    const float turn = random_uniform(random, -options->hue, options->hue);
    plan.hue = turn - floorf(turn);
    plan.saturation = random_factor(random, options->saturation);
    plan.value = random_factor(random, options->exposure);
    plan.mirrored = random_below(random, 2);
    return plan;
}

/* Puts `top` on `base` with its corner at x, y; what lies outside is cut off. */
static void paste(picture *base, const picture *top, int x, int y) {
    const int left = x > 0 ? x : 0, right = x + top->w < base->w ? x + top->w : base->w;
    for (int row = 0; row < top->h; row++)
        if (y + row >= 0 && y + row < base->h && right > left)
            memcpy(base->data + 3 * ((size_t)(y + row) * base->w + left),
                   top->data + 3 * ((size_t)row * top->w + left - x), 3 * (size_t)(right - left));
}

/* Hue in [0, 6) of a colour whose largest channel is `most` and chroma d > 0. */
static float hue_of(float r, float g, float b, float most, float d) {
    if (r == most)
        return g < b ? 6 + (g - b) / d : (g - b) / d;
    return g == most ? 2 + (b - r) / d : 4 + (r - g) / d;
}

/* The share of chroma that the channel loses: 0 within a sixth of its own hue, 1 opposite. */
static float chroma_lost(float hue, float offset) {
    float k = hue + offset;
    k = k >= 6 ? k - 6 : k;
    return fminf(fmaxf(fminf(k, 4 - k), 0), 1);
}

static unsigned char to_code(float value) {
    return (unsigned char)(fminf(fmaxf(value, 0), 255) + .5f);
}

/*
 * The HSV change of one pixel without leaving RGB: a channel is V - V*S*f(H), and V*S is the chroma
 * (Smith: Color gamut transform pairs, 1978).
 */
static void distort(const augment_plan *plan, const unsigned char bgr[3], unsigned char rgb[3]) {
    const float b = bgr[0], g = bgr[1], r = bgr[2];
    const float most = fmaxf(r, fmaxf(g, b)), chroma = most - fminf(r, fminf(g, b));
    float hue = 0;
    if (chroma > 0) {
        hue = hue_of(r, g, b, most, chroma) + 6 * plan->hue;
        hue = hue >= 6 ? hue - 6 : hue;
    }
    const float lost = chroma * plan->saturation;
    rgb[0] = to_code(plan->value * (most - lost * chroma_lost(hue, 5)));
    rgb[1] = to_code(plan->value * (most - lost * chroma_lost(hue, 3)));
    rgb[2] = to_code(plan->value * (most - lost * chroma_lost(hue, 1)));
}

static void distort_to_planes(const augment_plan *plan, const picture *in, unsigned char *codes) {
    const size_t plane = (size_t)in->w * in->h;
    for (int y = 0; y < in->h; y++)
        for (int x = 0; x < in->w; x++) {
            const int from = plan->mirrored ? in->w - 1 - x : x;
            const size_t to = (size_t)y * in->w + x;
            unsigned char rgb[3];
            distort(plan, in->data + 3 * ((size_t)y * in->w + from), rgb);
            codes[to] = rgb[0];
            codes[plane + to] = rgb[1];
            codes[2 * plane + to] = rgb[2];
        }
}

gdrq_status augment_picture(const augment_plan *plan, const picture *in, unsigned char *codes,
                            gdrq_error *err) {
    picture scaled = {0}, canvas = {0};
    gdrq_status status = picture_resize(in, plan->w, plan->h, &scaled, err);
    if (status == GDRQ_OK)
        status = picture_make(plan->net_w, plan->net_h, ground, &canvas, err);
    if (status == GDRQ_OK) {
        paste(&canvas, &scaled, plan->x, plan->y);
        distort_to_planes(plan, &canvas, codes);
    }
    picture_free(&scaled);
    picture_free(&canvas);
    return status;
}

static void shuffle(random_stream *random, augment_box *boxes, int n) {
    for (int i = n - 1; i > 0; i--) {
        const int other = random_below(random, i + 1);
        const augment_box swap = boxes[i];
        boxes[i] = boxes[other];
        boxes[other] = swap;
    }
}

static float unit(float x) {
    return fminf(fmaxf(x, 0), 1);
}

/* The box on the network's input, clipped; w or h is 0 where nothing of it is left. */
static augment_box moved(const augment_plan *plan, const augment_box *box) {
    const float scale_x = (float)plan->w / plan->net_w, x0 = (float)plan->x / plan->net_w;
    const float scale_y = (float)plan->h / plan->net_h, y0 = (float)plan->y / plan->net_h;
    float left = unit((box->x - box->w / 2) * scale_x + x0);
    float right = unit((box->x + box->w / 2) * scale_x + x0);
    const float top = unit((box->y - box->h / 2) * scale_y + y0);
    const float bottom = unit((box->y + box->h / 2) * scale_y + y0);
    if (plan->mirrored) {
        const float swap = left;
        left = 1 - right;
        right = 1 - swap;
    }
    return (augment_box){box->id, (left + right) / 2, (top + bottom) / 2, right - left,
                         bottom - top};
}

int augment_boxes(const augment_plan *plan, random_stream *random, augment_box *boxes, int n,
                  int max_boxes, float *truth) {
    const float thinnest = .001f;
    int kept = 0;
    shuffle(random, boxes, n);
    for (int i = 0; i < n && i < max_boxes; i++) {
        const augment_box box = moved(plan, &boxes[i]);
        if (box.w < thinnest || box.h < thinnest)
            continue;
        const float entry[5] = {box.x, box.y, box.w, box.h, (float)box.id};
        memcpy(truth + 5 * kept++, entry, sizeof entry);
    }
    return kept;
}
