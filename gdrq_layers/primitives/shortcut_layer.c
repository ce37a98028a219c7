#include "primitives/shortcut_layer.h"

#include <string.h>

#include "primitives/kernels.h"

/* y[j*y_step] = a*y[j*y_step] + b*x[j*x_step] for j < n; distances of 1 as constants. */
GDRQ_KERNEL void mix_row(const float *restrict x, size_t x_step, size_t n, float a, float b,
                         float *restrict y, size_t y_step) {
    if (x_step == 1 && y_step == 1)
        for (size_t j = 0; j < n; j++)
            y[j] = a * y[j] + b * x[j];
    else
        for (size_t j = 0; j < n; j++)
            y[j * y_step] = a * y[j * y_step] + b * x[j * x_step];
}

/* How the planes of one map are added to those of another whose sides are a factor apart. */
typedef struct overlay {
    int x_w, y_w;            /* floats from row to row */
    size_t x_plane, y_plane; /* floats per plane */
    int x_step, y_step;      /* distance between positions that meet */
    int w, h;                /* positions that meet */
    float a, b;
} overlay;

static int at_least_1(int n) {
    return n < 1 ? 1 : n;
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

static overlay overlay_of(int x_w, int x_h, int y_w, int y_h, float a, float b) {
    overlay o = {.x_w = x_w,
                 .y_w = y_w,
                 .x_plane = (size_t)x_w * (size_t)x_h,
                 .y_plane = (size_t)y_w * (size_t)y_h,
                 .x_step = at_least_1(x_w / y_w),
                 .y_step = at_least_1(y_w / x_w),
                 .w = smaller(x_w, y_w),
                 .h = smaller(x_h, y_h),
                 .a = a,
                 .b = b};
    if (x_w == y_w && x_h == y_h) { /* one long row */
        o.w *= o.h;
        o.h = 1;
    }
    return o;
}

/* y = a*y + b*x on one plane. */
static void mix_plane(const overlay *o, const float *x, float *y) {
    for (int j = 0; j < o->h; j++)
        mix_row(x + (size_t)j * (size_t)o->x_step * (size_t)o->x_w, (size_t)o->x_step, (size_t)o->w,
                o->a, o->b, y + (size_t)j * (size_t)o->y_step * (size_t)o->y_w, (size_t)o->y_step);
}

/* Plane k of image b in a map of `channels` planes. */
static size_t plane(int b, int k, int channels, size_t size) {
    return ((size_t)b * (size_t)channels + (size_t)k) * size;
}

void gdrq_forward_shortcut_layer(layer l, network net) {
    const float *const other = net.layers[l.index].output;
    const size_t n = (size_t)l.batch * (size_t)l.outputs;
    const overlay o = overlay_of(l.w, l.h, l.out_w, l.out_h, l.alpha, l.beta);
#pragma omp parallel for collapse(2) schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (int b = 0; b < l.batch; b++)
        for (int k = 0; k < l.out_c; k++) {
            const size_t at = plane(b, k, l.out_c, o.y_plane);
            memcpy(l.output + at, net.input + at, o.y_plane * sizeof *l.output);
            if (k < l.c)
                mix_plane(&o, other + plane(b, k, l.c, o.x_plane), l.output + at);
            gdrq_activate_block(l.output + at, o.y_plane, l.activation);
        }
}

void gdrq_backward_shortcut_layer(layer l, network net) {
    float *const other = net.layers[l.index].delta;
    const size_t n = (size_t)l.batch * (size_t)l.outputs;
    const overlay o = overlay_of(l.out_w, l.out_h, l.w, l.h, 1, l.beta);
#pragma omp parallel for collapse(2) schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (int b = 0; b < l.batch; b++)
        for (int k = 0; k < l.out_c; k++) {
            const size_t at = plane(b, k, l.out_c, o.x_plane);
            gdrq_activation_gradient_block(l.output + at, o.x_plane, l.activation, l.delta + at);
            if (net.delta)
                gdrq_add_scaled_block(l.alpha, l.delta + at, o.x_plane, net.delta + at);
            if (other && k < l.c)
                mix_plane(&o, l.delta + at, other + plane(b, k, l.c, o.y_plane));
        }
}
