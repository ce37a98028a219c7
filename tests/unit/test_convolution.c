/* The three directions of the float convolution against a naive reference in double precision. */
#include "cmocka_all.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "primitives/conv_columns.h"
#include "primitives/convolution.h"
#include "random_data.h"
#include "thread_counts.h"

enum { GUARD = 16, RANDOM_SHAPES = 150 };

static const float guard_value = 12345.5f;

/* The three tensors of a convolution, and a result with guards on both sides. */
typedef struct problem {
    gdrq_conv_shape shape;
    int out_h, out_w;
    size_t x_count, w_count, y_count;
    float *x, *w, *y;
} problem;

static float random_value(bool integers) {
    if (integers)
        return (float)random_int(-15, 15);
    return (float)(2 * random_unit() - 1);
}

static float *random_tensor(size_t n, bool integers) {
    float *tensor = malloc(n * sizeof *tensor);
    assert_non_null(tensor);
    for (size_t i = 0; i < n; i++)
        tensor[i] = random_value(integers);
    return tensor;
}

static problem make_problem(gdrq_conv_shape shape, bool integers) {
    problem p = {.shape = shape};
    p.out_h = gdrq_conv_out(&shape, shape.h);
    p.out_w = gdrq_conv_out(&shape, shape.w);
    p.x_count = (size_t)shape.batch * shape.c * shape.h * shape.w;
    p.w_count = (size_t)shape.n * (shape.c / shape.groups) * shape.size * shape.size;
    p.y_count = (size_t)shape.batch * shape.n * p.out_h * p.out_w;
    p.x = random_tensor(p.x_count, integers);
    p.w = random_tensor(p.w_count, integers);
    p.y = random_tensor(p.y_count, integers);
    return p;
}

static void free_problem(problem *p) {
    free(p->x);
    free(p->w);
    free(p->y);
}

/*
 * Calls visit(x index, weight index, y index) for every product of the convolution. The three
 * directions are sums of the same products by different indices.
 */
typedef struct product {
    size_t x, w, y;
} product;

typedef void visitor(const problem *p, product at, double *sums);

static void visit_output(const problem *p, int b, int f, int i, int j, visitor *visit,
                         double *sums) {
    const gdrq_conv_shape *s = &p->shape;
    const int per_group = s->c / s->groups;
    const int group = f / (s->n / s->groups);
    for (int c = 0; c < per_group; c++)
        for (int u = 0; u < s->size; u++)
            for (int v = 0; v < s->size; v++) {
                const int row = i * s->stride - s->pad + u;
                const int column = j * s->stride - s->pad + v;
                if (row < 0 || row >= s->h || column < 0 || column >= s->w)
                    continue;
                const size_t channel = (size_t)b * s->c + (size_t)group * per_group + c;
                const product at = {
                    .x = (channel * s->h + row) * s->w + column,
                    .w = (((size_t)f * per_group + c) * s->size + u) * s->size + v,
                    .y = (((size_t)b * s->n + f) * p->out_h + i) * p->out_w + j,
                };
                visit(p, at, sums);
            }
}

static double *reference(const problem *p, size_t count, visitor *visit) {
    double *sums = calloc(count, sizeof *sums);
    assert_non_null(sums);
    for (int b = 0; b < p->shape.batch; b++)
        for (int f = 0; f < p->shape.n; f++)
            for (int i = 0; i < p->out_h; i++)
                for (int j = 0; j < p->out_w; j++)
                    visit_output(p, b, f, i, j, visit, sums);
    return sums;
}

static void add_to_y(const problem *p, product at, double *sums) {
    sums[at.y] += (double)p->x[at.x] * p->w[at.w];
}

static void add_to_x(const problem *p, product at, double *sums) {
    sums[at.x] += (double)p->y[at.y] * p->w[at.w];
}

static void add_to_w(const problem *p, product at, double *sums) {
    sums[at.w] += (double)p->x[at.x] * p->y[at.y];
}

typedef gdrq_status direction(const problem *p, float *out, gdrq_error *err);

static gdrq_status forward(const problem *p, float *out, gdrq_error *err) {
    return gdrq_conv_forward(&p->shape, p->x, p->w, out, err);
}

static gdrq_status backward_data(const problem *p, float *out, gdrq_error *err) {
    return gdrq_conv_backward_data(&p->shape, p->w, p->y, out, err);
}

static gdrq_status backward_weights(const problem *p, float *out, gdrq_error *err) {
    return gdrq_conv_backward_weights(&p->shape, p->x, p->y, out, err);
}

/* On three threads with a buffer that must not be left. */
enum { COLUMN_THREADS = 3 };

static float *make_columns(size_t floats) {
    float *columns = malloc((floats + GUARD) * sizeof *columns);
    assert_non_null(columns);
    for (size_t i = 0; i < GUARD; i++)
        columns[floats + i] = guard_value;
    return columns;
}

static void free_columns(float *columns, size_t floats) {
    for (size_t i = 0; i < GUARD; i++)
        assert_true(columns[floats + i] == guard_value);
    free(columns);
}

static gdrq_status columns_forward(const problem *p, float *out, gdrq_error *err) {
    (void)err;
    const size_t floats = COLUMN_THREADS * gdrq_conv_columns_forward_floats(&p->shape);
    float *columns = make_columns(floats);
    const gdrq_status status =
        gdrq_conv_columns_forward(&p->shape, p->x, p->w, out, columns, COLUMN_THREADS);
    free_columns(columns, floats);
    return status;
}

static gdrq_status columns_backward_data(const problem *p, float *out, gdrq_error *err) {
    (void)err;
    const size_t floats = COLUMN_THREADS * gdrq_conv_columns_backward_data_floats(&p->shape);
    float *columns = make_columns(floats);
    const gdrq_status status =
        gdrq_conv_columns_backward_data(&p->shape, p->w, p->y, out, columns, COLUMN_THREADS);
    free_columns(columns, floats);
    return status;
}

/* The caller frees the result; its first value is at [GUARD]. */
static float *run_guarded(const problem *p, size_t count, direction *run) {
    float *out = malloc((count + 2 * GUARD) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count + 2 * GUARD; i++)
        out[i] = i < GUARD || i >= count + GUARD ? guard_value : NAN;
    gdrq_error err = {""};
    const gdrq_status status = run(p, out + GUARD, &err);
    if (status != GDRQ_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < GUARD; i++) {
        assert_true(out[i] == guard_value);
        assert_true(out[count + GUARD + i] == guard_value);
    }
    return out;
}

/* Products and sums of the integers stay below 2^24, so those must be exact. */
static void check(const problem *p, bool integers, const char *name, size_t count, direction *run,
                  visitor *visit) {
    const gdrq_conv_shape *s = &p->shape;
    double *expected = reference(p, count, visit);
    float *out = run_guarded(p, count, run);
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs(out[GUARD + i] - expected[i]);
        const double allowed = integers ? 0 : 1e-5 * (10 + fabs(expected[i]));
        if (!(difference <= allowed))
            fail_msg("%s of %dx%dx%dx%d n=%d groups=%d size=%d stride=%d pad=%d (%s): "
                     "[%zu] is %.9g, not %.9g",
                     name, s->batch, s->c, s->h, s->w, s->n, s->groups, s->size, s->stride, s->pad,
                     integers ? "integers" : "floats", i, out[GUARD + i], expected[i]);
    }
    free(expected);
    free(out);
}

static void check_shape(gdrq_conv_shape shape, bool integers) {
    problem p = make_problem(shape, integers);
    check(&p, integers, "forward", p.y_count, forward, add_to_y);
    check(&p, integers, "backward_data", p.x_count, backward_data, add_to_x);
    check(&p, integers, "backward_weights", p.w_count, backward_weights, add_to_w);
    check(&p, integers, "columns_forward", p.y_count, columns_forward, add_to_y);
    check(&p, integers, "columns_backward_data", p.x_count, columns_backward_data, add_to_x);
    free_problem(&p);
}

static gdrq_conv_shape random_shape(void) {
    gdrq_conv_shape s;
    do {
        s.batch = random_int(1, 3);
        s.groups = random_int(0, 2) ? 1 : random_int(2, 5);
        s.c = s.groups * random_int(1, 20);
        s.n = s.groups * random_int(1, 20);
        s.h = random_int(1, 17);
        s.w = random_int(1, 17);
        s.size = random_int(1, 5);
        s.stride = random_int(1, 3);
        s.pad = random_int(0, s.size);
    } while (gdrq_conv_out(&s, s.h) < 1 || gdrq_conv_out(&s, s.w) < 1);
    return s;
}

/* Enough of them that the cache of primitives overflows. */
static void random_shapes(void **state) {
    (void)state;
    for (int i = 0; i < RANDOM_SHAPES; i++)
        check_shape(random_shape(), i % 2 == 0);
}

static const gdrq_conv_shape named_shapes[] = {
    /* batch c h w, n groups size stride pad */
    {2, 3, 33, 31, 16, 1, 3, 1, 1},   /* a first layer */
    {1, 3, 30, 30, 16, 1, 7, 2, 3},   /* ImageNet's first layer */
    {2, 16, 26, 26, 32, 1, 3, 1, 1},  /* multiples of the vector width */
    {2, 17, 13, 9, 33, 1, 3, 1, 1},   /* one more than that */
    {1, 64, 13, 13, 64, 1, 3, 2, 1},  /* downsampling */
    {2, 48, 7, 7, 255, 1, 1, 1, 0},   /* a yolo head */
    {3, 32, 8, 8, 16, 1, 1, 1, 0},    /* 1x1 */
    {1, 32, 9, 9, 16, 1, 1, 2, 0},    /* 1x1 strided, the last row unread */
    {1, 8, 5, 5, 8, 1, 1, 1, 1},      /* 1x1 with padding */
    {2, 24, 14, 14, 24, 24, 3, 1, 1}, /* depthwise */
    {1, 32, 15, 15, 32, 32, 3, 2, 1}, {1, 7, 6, 6, 14, 7, 3, 1, 1}, /* depthwise with a multiplier
                                                                     */
    {2, 32, 9, 9, 64, 2, 3, 1, 1},    {1, 30, 9, 9, 20, 5, 5, 1, 2}, {1, 1, 1, 1, 1, 1, 1, 1, 0},
    {1, 4, 3, 3, 5, 1, 3, 1, 3},    /* outermost windows in the padding only */
    {1, 4, 2, 2, 5, 1, 3, 2, 0},    /* window beyond the image: the host computes one output */
    {1, 5, 1, 1, 6, 1, 3, 1, 1},    /* 1x1 image */
    {1, 57, 60, 60, 9, 3, 5, 1, 2}, /* columns in parts, of which the last one is smaller */
};

static void shapes_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof named_shapes / sizeof *named_shapes; i++) {
        check_shape(named_shapes[i], false);
        check_shape(named_shapes[i], true);
    }
}

/* oneDNN divides the work among threads when a primitive is made. */
static void changing_number_of_threads(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    for (int threads = 1; threads <= 5; threads++) {
        omp_set_num_threads(threads);
        for (size_t i = 0; i < 5; i++)
            check_shape(named_shapes[i], false);
    }
    omp_set_num_threads(before);
    check_shape(named_shapes[0], false);
}

static results run_direction(const problem *p, size_t count, direction *run) {
    float *out = run_guarded(p, count, run);
    results r = {0};
    add_results(&r, out + GUARD, count);
    free(out);
    return r;
}

static results forward_results(const void *subject) {
    const problem *p = subject;
    return run_direction(p, p->y_count, forward);
}

static results backward_data_results(const void *subject) {
    const problem *p = subject;
    return run_direction(p, p->x_count, backward_data);
}

static results backward_weights_results(const void *subject) {
    const problem *p = subject;
    return run_direction(p, p->w_count, backward_weights);
}

/* The filters' gradients are sums over images and pixels, which oneDNN divides among threads. */
static void check_thread_counts(gdrq_conv_shape shape) {
    char name[192];
    snprintf(name, sizeof name, "%dx%dx%dx%d n=%d groups=%d size=%d stride=%d pad=%d", shape.batch,
             shape.c, shape.h, shape.w, shape.n, shape.groups, shape.size, shape.stride, shape.pad);
    problem p = make_problem(shape, false);
    assert_threads_make_no_difference(name, forward_results, &p);
    assert_threads_make_no_difference(name, backward_data_results, &p);
    assert_repeats(name, backward_weights_results, &p);
    free_problem(&p);
}

typedef enum kind {
    PLAIN,
    GROUPED,
    DEPTHWISE,
    MULTIPLIED,
    POINTWISE,
    GROUPED_POINTWISE,
    KINDS
} kind;

/* Sums that are long enough to be divided. */
static gdrq_conv_shape random_shape_of_kind(kind k) {
    gdrq_conv_shape s;
    const bool grouped = k == GROUPED || k == GROUPED_POINTWISE;
    const bool pointwise = k == POINTWISE || k == GROUPED_POINTWISE;
    const int longest = grouped ? 40 : 100;
    do {
        s.batch = random_int(1, 3);
        s.groups = grouped ? random_int(2, 7) : 1;
        s.c = s.groups * random_int(1, longest);
        s.n = s.groups * random_int(1, longest);
        if (k == DEPTHWISE || k == MULTIPLIED) {
            s.groups = s.c;
            s.n = s.c * (k == MULTIPLIED ? random_int(2, 3) : 1);
        }
        s.h = random_int(1, 24);
        s.w = random_int(1, 24);
        s.size = pointwise ? 1 : random_int(2, 5);
        s.stride = random_int(1, 3);
        s.pad = random_int(0, 1) ? s.size / 2 : random_int(0, s.size);
    } while (gdrq_conv_out(&s, s.h) < 1 || gdrq_conv_out(&s, s.w) < 1);
    return s;
}

static void any_number_of_threads(void **state) {
    (void)state;
    for (int i = 0; i < 20 * KINDS; i++)
        check_thread_counts(random_shape_of_kind((kind)(i % KINDS)));
    for (size_t i = 0; i < sizeof named_shapes / sizeof *named_shapes; i++)
        check_thread_counts(named_shapes[i]);
}

static const gdrq_conv_shape concurrent_shapes[] = {{2, 17, 13, 9, 33, 1, 3, 1, 1},
                                                    {1, 64, 13, 13, 64, 1, 3, 2, 1}};

/* Compares with the first result: cmocka's assertions belong to the main thread. */
static void *repeat_forward(void *argument) {
    const problem *p = argument;
    float *first = calloc(p->y_count, sizeof *first), *again = calloc(p->y_count, sizeof *again);
    bool same = first && again && forward(p, first, NULL) == GDRQ_OK;
    for (int i = 0; same && i < 50; i++)
        same = forward(p, again, NULL) == GDRQ_OK &&
               memcmp(first, again, p->y_count * sizeof *first) == 0;
    free(first);
    free(again);
    return same ? argument : NULL;
}

static void concurrent_calls(void **state) {
    (void)state;
    problem problems[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        problems[i] = make_problem(concurrent_shapes[i], false);
        assert_int_equal(pthread_create(&threads[i], NULL, repeat_forward, &problems[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
        free_problem(&problems[i]);
    }
}

static void refuses(gdrq_conv_shape shape, const char *part_of_message) {
    float number = 0;
    gdrq_error err = {""};
    assert_int_equal(gdrq_conv_forward(&shape, &number, &number, &number, &err),
                     GDRQ_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, part_of_message));
    assert_int_equal(gdrq_conv_backward_data(&shape, &number, &number, &number, NULL),
                     GDRQ_ERROR_ARGUMENT);
    assert_int_equal(gdrq_conv_backward_weights(&shape, &number, &number, &number, NULL),
                     GDRQ_ERROR_ARGUMENT);
}

static void wrong_shapes(void **state) {
    (void)state;
    refuses((gdrq_conv_shape){1, 3, 8, 8, 4, 2, 3, 1, 1}, "groups=2");
    refuses((gdrq_conv_shape){1, 4, 8, 8, 3, 2, 3, 1, 1}, "n=3");
    refuses((gdrq_conv_shape){1, 4, 2, 8, 4, 1, 5, 1, 0}, "1 x 4 x 2 x 8");
    refuses((gdrq_conv_shape){0, 4, 8, 8, 4, 1, 3, 1, 1}, "0 x 4 x 8 x 8");
    refuses((gdrq_conv_shape){1, 4, 8, 8, 4, 1, 3, 0, 1}, "stride=0");
    refuses((gdrq_conv_shape){1, 4, 8, 8, 4, 1, 3, 1, -1}, "pad=-1");
}

int main(void) {
    seed_random(11);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_by_name),        cmocka_unit_test(random_shapes),
        cmocka_unit_test(wrong_shapes),          cmocka_unit_test(changing_number_of_threads),
        cmocka_unit_test(any_number_of_threads), cmocka_unit_test(concurrent_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
