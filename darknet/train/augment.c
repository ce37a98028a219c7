#include "train/augment.h"

#include "train/augment_colours.h"
#include "train/clamp.h"

#include <math.h>
#include <string.h>

static const unsigned char ground[3] = {128, 128, 128};

static int at_least_one(float size) {
    return size > 1 ? (int)lrintf(size) : 1;
}

augment_plan augment_draw(random_stream *random, const augment_options *options, int w, int h,
                          int net_w, int net_h) {
    const float dw = options->jitter * w, dh = options->jitter * h;
    const float new_w = w + random_uniform(random, -dw, dw);
    const float new_h = h + random_uniform(random, -dh, dh);
    const float aspect = most(new_w, 1) / most(new_h, 1);
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
    const colour_change colours =
        colour_draw(random, options->hue, options->saturation, options->exposure);
    plan.hue = colours.hue;
    plan.saturation = colours.saturation;
    plan.value = colours.value;
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

gdrq_status augment_picture(const augment_plan *plan, const picture *in, unsigned char *codes,
                            gdrq_error *err) {
    const colour_change colours = {plan->hue, plan->saturation, plan->value};
    picture scaled = {0}, canvas = {0};
    gdrq_status status = picture_resize(in, plan->w, plan->h, &scaled, err);
    if (status == GDRQ_OK)
        status = picture_make(plan->net_w, plan->net_h, ground, &canvas, err);
    if (status == GDRQ_OK) {
        paste(&canvas, &scaled, plan->x, plan->y);
        colour_planes(&canvas, plan->mirrored, &colours, codes);
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
    return clamp(x, 0, 1);
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
