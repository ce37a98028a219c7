#include "infer/letterbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/status.h"

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
enum {
    WEIGHT_BITS = GDRQ_LETTERBOX_BITS,
    WEIGHT_ONE = 1 << WEIGHT_BITS,
    MAX_SIDE = 1 << 16,
    BORDER = 128,
    CHANNELS = 3,
};

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

/*
 * As the host's letterbox_image(), whose comparison in float matters: detections are mapped back to
 * the image with the same one.
 */
gdrq_placement gdrq_letterbox_place(int w, int h, int net_w, int net_h) {
    gdrq_placement p = {.w = net_w, .h = net_h};
    if ((float)net_w / (float)w < (float)net_h / (float)h)
        p.h = (int)((int64_t)h * net_w / w);
    else
        p.w = (int)((int64_t)w * net_h / h);
    p.w = p.w > 0 ? p.w : 1;
    p.h = p.h > 0 ? p.h : 1;
    p.x = (net_w - p.w) / 2;
    p.y = (net_h - p.h) / 2;
    return p;
}

void gdrq_columns_free(gdrq_columns *columns) {
    free(columns->at);
    *columns = (gdrq_columns){0};
}

static gdrq_status make_room(gdrq_columns *columns, int n, gdrq_error *err) {
    if (n <= columns->room)
        return GDRQ_OK;
    gdrq_column *const at = gdrq_alloc((size_t)n, sizeof *at);
    if (!at)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "letterbox: out of memory for %d columns", n);
    free(columns->at);
    *columns = (gdrq_columns){.at = at, .room = n};
    return GDRQ_OK;
}

static void set_columns(gdrq_columns *columns, int from, int to) {
    if (columns->from == from && columns->to == to)
        return;
    columns->from = from;
    columns->to = to;
    for (int x = 0; x < to; x++) {
        const span s = span_at(x, from, to);
        columns->at[x] = (gdrq_column){.first = s.first * CHANNELS,
                                       .left = (int16_t)(WEIGHT_ONE - s.weight),
                                       .right = (int16_t)s.weight};
    }
}

/* Pixels `begin` to the last, in portable C. */
static void resize_rest(const gdrq_resize_row *row, int begin, uint8_t *out) {
    const int round = 1 << (2 * WEIGHT_BITS - 1), red = row->order == GDRQ_RGB ? 0 : 2;
    for (int x = begin; x < row->n; x++) {
        const gdrq_column s = row->columns[x];
        const uint8_t *const top = row->top + s.first, *const bottom = row->bottom + s.first;
        const int next = s.right ? CHANNELS : 0;
        for (int c = 0; c < CHANNELS; c++) {
            const int above = s.left * top[c] + s.right * top[c + next];
            const int below = s.left * bottom[c] + s.right * bottom[c + next];
            const int sum = (WEIGHT_ONE - row->weight) * above + row->weight * below;
            const int channel = c == 1 ? 1 : c == 0 ? red : 2 - red;
            out[x * CHANNELS + channel] = (uint8_t)((sum + round) >> (2 * WEIGHT_BITS));
        }
    }
}

static void resize_row(const gdrq_resize_row *row, gdrq_cpu cpu, uint8_t *out) {
    int done = 0;
#if defined(__x86_64__)
    if (cpu >= GDRQ_CPU_AVX2)
        done = gdrq_resize_row_avx2(row, out);
#endif
    (void)cpu;
    resize_rest(row, done, out);
}

/* Row y of the network's input, which may lie above or below the picture. */
static void fill_row(const gdrq_pixels *in, const gdrq_columns *columns,
                     const gdrq_placement *place, int y, int net_w, gdrq_cpu cpu, uint8_t *out) {
    if (y < place->y || y >= place->y + place->h) {
        memset(out, BORDER, (size_t)net_w * CHANNELS);
        return;
    }
    const span s = span_at(y - place->y, in->h, place->h);
    const gdrq_resize_row row = {.top = in->data + (size_t)s.first * in->stride,
                                 .bottom = in->data + (size_t)s.second * in->stride,
                                 .weight = s.weight,
                                 .bytes = in->w * CHANNELS,
                                 .order = in->order,
                                 .columns = columns->at,
                                 .n = place->w};
    const size_t left = (size_t)place->x * CHANNELS, end = (size_t)(place->x + place->w) * CHANNELS;
    memset(out, BORDER, left);
    resize_row(&row, cpu, out + left);
    memset(out + end, BORDER, (size_t)net_w * CHANNELS - end);
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

gdrq_status gdrq_letterbox_codes(const gdrq_pixels *in, int net_w, int net_h, gdrq_columns *columns,
                                 uint8_t *codes, gdrq_error *err) {
    gdrq_status status = check(in, net_w, net_h, codes, err);
    if (status == GDRQ_OK)
        status = make_room(columns, net_w, err);
    if (status != GDRQ_OK)
        return status;
    if (in->w == net_w && in->h == net_h && in->order == GDRQ_RGB) {
        for (int y = 0; y < net_h; y++)
            memcpy(codes + (size_t)y * net_w * CHANNELS, in->data + (size_t)y * in->stride,
                   (size_t)net_w * CHANNELS);
        return GDRQ_OK;
    }
    const gdrq_placement placed = gdrq_letterbox_place(in->w, in->h, net_w, net_h);
    const gdrq_cpu cpu = gdrq_cpu_level();
    set_columns(columns, in->w, placed.w);
#pragma omp parallel for schedule(static)
    for (int y = 0; y < net_h; y++)
        fill_row(in, columns, &placed, y, net_w, cpu, codes + (size_t)y * net_w * CHANNELS);
    return GDRQ_OK;
}

static void split(const uint8_t *codes, size_t pixels, unsigned char *planes) {
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t i = 0; i < pixels; i++)
            planes[c * pixels + i] = codes[i * CHANNELS + c];
}

gdrq_status gdrq_letterbox_pixels(const gdrq_pixels *in, int net_w, int net_h, unsigned char *out,
                                  gdrq_error *err) {
    gdrq_columns columns = {0};
    const gdrq_status status = gdrq_letterbox_codes(in, net_w, net_h, &columns, out, err);
    gdrq_columns_free(&columns);
    return status;
}

gdrq_status gdrq_letterbox(const gdrq_pixels *in, int net_w, int net_h, unsigned char *out,
                           gdrq_error *err) {
    gdrq_status status = check(in, net_w, net_h, out, err);
    if (status != GDRQ_OK)
        return status;
    const size_t pixels = (size_t)net_w * (size_t)net_h;
    gdrq_columns columns = {0};
    uint8_t *codes = gdrq_alloc(pixels, CHANNELS);
    if (codes)
        status = gdrq_letterbox_codes(in, net_w, net_h, &columns, codes, err);
    else
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "letterbox: out of memory for %d x %d pixels",
                           net_w, net_h);
    if (status == GDRQ_OK)
        split(codes, pixels, out);
    gdrq_columns_free(&columns);
    free(codes);
    return status;
}
