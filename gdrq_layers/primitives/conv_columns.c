#include "primitives/conv_columns.h"

#include "primitives/gemm.h"

#include <omp.h>
#include <string.h>

/*
 * A part's columns fit into a second-level cache (COLUMNS floats) unless one row of the output
 * needs more. There are about PARTS parts to share among threads, unless products were to become so
 * narrow (NARROW pixels, or rows of filters) that oneDNN copies more than it multiplies.
 */
enum { COLUMNS = 1 << 17, PARTS = 16, NARROW = 64 };

/* One group of a convolution: what is the same for every part of the result. */
typedef struct group_size {
    int c, n;           /* channels and filters */
    int area;           /* of a window: size * size */
    int out_h, out_w;   /* of the output */
    size_t in, out;     /* pixels of an input and an output channel */
    bool pointwise;     /* the input is its own columns */
    int channels, rows; /* of input and output, at most, whose columns are there at a time */
} group_size;

static size_t quotient_up(size_t n, size_t divisor) {
    return (n + divisor - 1) / divisor;
}

/* `wanted`, but from 1 to n. */
static int bounded(size_t wanted, int n) {
    return wanted < 1 ? 1 : wanted < (size_t)n ? (int)wanted : n;
}

/* As many of n as make PARTS parts of the total, or more if that is less than `enough`. */
static int share(size_t total, size_t enough, int n) {
    const size_t even = quotient_up(total, PARTS);
    return bounded(even > enough ? even : enough, n);
}

static group_size size_of_group(const gdrq_conv_shape *s) {
    const int out_h = gdrq_conv_out(s, s->h), out_w = gdrq_conv_out(s, s->w);
    return (group_size){.c = s->c / s->groups,
                        .n = s->n / s->groups,
                        .area = s->size * s->size,
                        .out_h = out_h,
                        .out_w = out_w,
                        .in = (size_t)s->h * (size_t)s->w,
                        .out = (size_t)out_h * (size_t)out_w,
                        .pointwise = s->size == 1 && s->stride == 1 && s->pad == 0};
}

static int rows_in_cache(const group_size *g) {
    const size_t row = (size_t)g->channels * (size_t)g->area * (size_t)g->out_w;
    return bounded(COLUMNS / row, g->out_h);
}

/* A part of the forward is some rows of the output. */
static group_size forward_group(const gdrq_conv_shape *s) {
    group_size g = size_of_group(s);
    g.channels = g.c;
    g.rows = share((size_t)s->batch * (size_t)s->groups * (size_t)g.out_h,
                   quotient_up(NARROW, (size_t)g.out_w), rows_in_cache(&g));
    return g;
}

/* A part of the backward is some channels of the input; it goes over the rows of the output. */
static group_size backward_group(const gdrq_conv_shape *s) {
    group_size g = size_of_group(s);
    g.channels = share((size_t)s->batch * (size_t)s->c, quotient_up(NARROW, (size_t)g.area), g.c);
    g.rows = rows_in_cache(&g);
    return g;
}

static size_t columns_of(const group_size *g) {
    const size_t pixels = (size_t)g->rows * (size_t)g->out_w;
    return g->pointwise ? 0 : (size_t)g->channels * (size_t)g->area * pixels;
}

size_t gdrq_conv_columns_forward_floats(const gdrq_conv_shape *shape) {
    const group_size g = forward_group(shape);
    return columns_of(&g);
}

size_t gdrq_conv_columns_backward_data_floats(const gdrq_conv_shape *shape) {
    const group_size g = backward_group(shape);
    return columns_of(&g);
}

/* Outputs [begin, end) of a row are those whose window has its column v inside of the image. */
typedef struct range {
    int begin, end;
} range;

/* The first output whose window's column v is not left of `column`, at most out_w. */
static int first_output(const gdrq_conv_shape *s, const group_size *g, int v, int column) {
    const int distance = column + s->pad - v;
    return distance <= 0 ? 0 : bounded(quotient_up((size_t)distance, (size_t)s->stride), g->out_w);
}

static range outputs_inside(const gdrq_conv_shape *s, const group_size *g, int v) {
    return (range){first_output(s, g, v, 0), first_output(s, g, v, s->w)};
}

/* Rows of the output; one channel's columns for them are [area][rows][out_w]. */
typedef struct row_block {
    int begin, rows;
} row_block;

/* x is what the first output inside reads, the next ones `stride` further each. */
typedef void row_visitor(float *x, int stride, range inside, int out_w, float *column);

static void copy_row(float *x, int stride, range inside, int out_w, float *column) {
    memset(column, 0, (size_t)inside.begin * sizeof *column);
    if (stride == 1)
        memcpy(column + inside.begin, x, (size_t)(inside.end - inside.begin) * sizeof *column);
    else
        for (int j = inside.begin; j < inside.end; j++, x += stride)
            column[j] = *x;
    memset(column + inside.end, 0, (size_t)(out_w - inside.end) * sizeof *column);
}

static void add_row(float *x, int stride, range inside, int out_w, float *column) {
    (void)out_w;
    for (int j = inside.begin; j < inside.end; j++, x += stride)
        *x += column[j];
}

/* Visits every row of every channel's columns; x is the first channel of the image. */
static void visit_rows(const gdrq_conv_shape *s, const group_size *g, int channels, row_block block,
                       float *x, float *columns, row_visitor *visit) {
    const range nothing = {0, 0};
    for (int window = 0; window < channels * g->area; window++) {
        float *const image = x + (size_t)(window / g->area) * g->in;
        const int u = window % g->area / s->size, v = window % s->size;
        const range inside = outputs_inside(s, g, v);
        for (int i = block.begin; i < block.begin + block.rows; i++, columns += g->out_w) {
            const int row = i * s->stride - s->pad + u;
            if (row < 0 || row >= s->h || inside.begin >= inside.end)
                visit(image, s->stride, nothing, g->out_w, columns);
            else
                visit(image + (size_t)row * (size_t)s->w +
                          (size_t)(inside.begin * s->stride - s->pad + v),
                      s->stride, inside, g->out_w, columns);
        }
    }
}

/* y[n][pixels of the block] = weights[n][c * area] * columns[c * area][pixels] */
static gdrq_status forward_rows(const gdrq_conv_shape *s, const group_size *g, row_block block,
                                float *x, const float *weights, float *y, float *buffer) {
    const int k = g->c * g->area, pixels = block.rows * g->out_w, out = (int)g->out;
    const size_t first = (size_t)block.begin * (size_t)g->out_w;
    if (g->pointwise)
        return gdrq_multiply(0, 0, g->n, pixels, k, 1, weights, k, x + first, out, 0, y + first,
                             out, NULL);
    visit_rows(s, g, g->c, block, x, buffer, copy_row);
    return gdrq_multiply(0, 0, g->n, pixels, k, 1, weights, k, buffer, pixels, 0, y + first, out,
                         NULL);
}

/* dx[channels][h][w] of the group from its channel on whose filters begin at `weights`. */
static gdrq_status backward_channels(const gdrq_conv_shape *s, const group_size *g, int channels,
                                     const float *weights, const float *dy, float *dx,
                                     float *buffer) {
    const int k = g->c * g->area, m = channels * g->area, out = (int)g->out;
    if (g->pointwise)
        return gdrq_multiply(1, 0, m, out, g->n, 1, weights, k, dy, out, 0, dx, out, NULL);
    memset(dx, 0, (size_t)channels * g->in * sizeof *dx);
    for (int i = 0; i < g->out_h; i += g->rows) {
        const row_block block = {i, bounded((size_t)g->rows, g->out_h - i)};
        const int pixels = block.rows * g->out_w;
        const gdrq_status status =
            gdrq_multiply(1, 0, m, pixels, g->n, 1, weights, k, dy + (size_t)i * (size_t)g->out_w,
                          out, 0, buffer, pixels, NULL);
        if (status != GDRQ_OK)
            return status;
        visit_rows(s, g, channels, block, dx, buffer, add_row);
    }
    return GDRQ_OK;
}

gdrq_status gdrq_conv_columns_forward(const gdrq_conv_shape *shape, const float *x,
                                      const float *weights, float *y, float *buffer, int threads) {
    const group_size g = forward_group(shape);
    const size_t filters = (size_t)g.n * (size_t)g.c * (size_t)g.area;
    const int groups = shape->batch * shape->groups;
    gdrq_status failure = GDRQ_OK;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(threads)
    for (int i = 0; i < groups; i++)
        for (int row = 0; row < g.out_h; row += g.rows) {
            const row_block block = {row, bounded((size_t)g.rows, g.out_h - row)};
            /* visit_rows() takes what add_row() writes to; this one reads. */
            float *const image = (float *)x + (size_t)i * (size_t)g.c * g.in;
            const gdrq_status status = forward_rows(
                shape, &g, block, image, weights + (size_t)(i % shape->groups) * filters,
                y + (size_t)i * (size_t)g.n * g.out,
                buffer + (size_t)omp_get_thread_num() * columns_of(&g));
            if (status != GDRQ_OK)
#pragma omp atomic write
                failure = status;
        }
    return failure;
}

gdrq_status gdrq_conv_columns_backward_data(const gdrq_conv_shape *shape, const float *weights,
                                            const float *dy, float *dx, float *buffer,
                                            int threads) {
    const group_size g = backward_group(shape);
    const size_t filters = (size_t)g.n * (size_t)g.c * (size_t)g.area;
    const int groups = shape->batch * shape->groups;
    gdrq_status failure = GDRQ_OK;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(threads)
    for (int i = 0; i < groups; i++)
        for (int c = 0; c < g.c; c += g.channels) {
            const gdrq_status status = backward_channels(
                shape, &g, bounded((size_t)g.channels, g.c - c),
                weights + (size_t)(i % shape->groups) * filters + (size_t)c * (size_t)g.area,
                dy + (size_t)i * (size_t)g.n * g.out,
                dx + ((size_t)i * (size_t)g.c + (size_t)c) * g.in,
                buffer + (size_t)omp_get_thread_num() * columns_of(&g));
            if (status != GDRQ_OK)
#pragma omp atomic write
                failure = status;
        }
    return failure;
}
