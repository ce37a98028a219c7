#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "gdrq.h"

/*
 * Resampling in integers only. Destination pixel d of `dst` pixels has its centre over source
 * position (d + 1/2) * src / dst - 1/2. That is rounded (half up) to 1/2048 pixel,
 *
 *     p = floor((2048 * ((2d + 1) * src - dst) + dst) / (2 * dst)), clamped to [0, 2048 * (src -
 * 1)]
 *
 * and split into the pixel i = p >> 11 and the weight f = p & 2047 of its neighbour i + 1. With f
 * across and g down, an output code is the one rounding (half up) of an exact sum:
 *
 *     ((2048 - g) * ((2048 - f) * a + f * b) + g * ((2048 - f) * c + f * d) + 2^21) >> 22
 *
 * which is at most 255 * 2^22 + 2^21 < 2^31.
 */
enum { WEIGHT_BITS = 11, WEIGHT_ONE = 1 << WEIGHT_BITS, MAX_SIDE = 1 << 16, BORDER = 128 };

typedef struct span {
    int first, second; /* neighbours' indices; equal at the edge */
    int weight;        /* of second, in 1/2048 */
} span;

static span span_at(int d, int src, int dst) {
    const int64_t centre = ((int64_t)2 * d + 1) * src - dst; /* in 1 / (2 * dst) pixels */
    const int64_t last = (int64_t)(src - 1) << WEIGHT_BITS;
    int64_t p = centre > 0 ? (centre * WEIGHT_ONE + dst) / (2 * (int64_t)dst) : 0;
    if (p > last)
        p = last;
    const int first = (int)(p >> WEIGHT_BITS);
    return (span){
        .first = first,
        .second = first + 1 < src ? first + 1 : first,
        .weight = (int)(p & (WEIGHT_ONE - 1)),
    };
}

typedef struct placement {
    int w, h; /* of the resized image */
    int x, y; /* of its first pixel in the net's input */
} placement;

/*
 * As the host's letterbox_image(), whose comparison in float matters: detections are mapped back to
 * the image with the same one.
 */
static placement place(const gdrq_pixels *in, int net_w, int net_h) {
    placement p = {.w = net_w, .h = net_h};
    if ((float)net_w / (float)in->w < (float)net_h / (float)in->h)
        p.h = (int)((int64_t)in->h * net_w / in->w);
    else
        p.w = (int)((int64_t)in->w * net_h / in->h);
    p.w = p.w > 0 ? p.w : 1;
    p.h = p.h > 0 ? p.h : 1;
    p.x = (net_w - p.w) / 2;
    p.y = (net_h - p.h) / 2;
    return p;
}

/* One row of the resized image; spans hold byte offsets of pixels within a source row. */
static void resize_row(const unsigned char *top, const unsigned char *bottom, int weight,
                       const span *spans, int n, unsigned char *const planes[3]) {
    const int round = 1 << (2 * WEIGHT_BITS - 1);
    for (int x = 0; x < n; x++) {
        const span s = spans[x];
        const int left = WEIGHT_ONE - s.weight;
        for (int c = 0; c < 3; c++) {
            const int above = left * top[s.first + c] + s.weight * top[s.second + c];
            const int below = left * bottom[s.first + c] + s.weight * bottom[s.second + c];
            const int sum = (WEIGHT_ONE - weight) * above + weight * below;
            planes[c][x] = (unsigned char)((sum + round) >> (2 * WEIGHT_BITS));
        }
    }
}

static void resize(const gdrq_pixels *in, const span *columns, const placement *place, int net_w,
                   int net_h, unsigned char *out) {
    const size_t plane = (size_t)net_w * net_h;
    const int red = in->order == GDRQ_RGB ? 0 : 2;
#pragma omp parallel for schedule(static)
    for (int y = 0; y < place->h; y++) {
        const span row = span_at(y, in->h, place->h);
        unsigned char *const at = out + (size_t)(place->y + y) * net_w + place->x;
        unsigned char *const planes[3] = {at + red * plane, at + plane, at + (2 - red) * plane};
        resize_row(in->data + row.first * in->stride, in->data + row.second * in->stride,
                   row.weight, columns, place->w, planes);
    }
}

static bool side_ok(int side) {
    return side > 0 && side <= MAX_SIDE;
}

static gdrq_status check(const gdrq_pixels *in, int net_w, int net_h, const unsigned char *out,
                         gdrq_error *err) {
    if (!in || !in->data || !out)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "letterbox: no image, or no place for the codes");
    if (!side_ok(in->w) || !side_ok(in->h) || !side_ok(net_w) || !side_ok(net_h))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "letterbox: %d x %d to %d x %d: sizes must be 1 to %d", in->w, in->h,
                         net_w, net_h, MAX_SIDE);
    if (in->stride < (size_t)3 * in->w)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "letterbox: rows of %d pixels can't be %zu bytes apart", in->w,
                         in->stride);
    if (in->order != GDRQ_RGB && in->order != GDRQ_BGR)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "letterbox: unknown pixel order %d", in->order);
    return GDRQ_OK;
}

gdrq_status gdrq_letterbox(const gdrq_pixels *in, int net_w, int net_h, unsigned char *out,
                           gdrq_error *err) {
    const gdrq_status status = check(in, net_w, net_h, out, err);
    if (status)
        return status;
    const placement placed = place(in, net_w, net_h);
    span *const columns = gdrq_alloc((size_t)placed.w, sizeof *columns);
    if (!columns)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "letterbox: out of memory for %d columns",
                         placed.w);
    for (int x = 0; x < placed.w; x++) {
        columns[x] = span_at(x, in->w, placed.w);
        columns[x].first *= 3;
        columns[x].second *= 3;
    }
    memset(out, BORDER, (size_t)3 * net_w * net_h);
    resize(in, columns, &placed, net_w, net_h, out);
    free(columns);
    return GDRQ_OK;
}
