/* What moves, pools and quantises codes against the float layers and quantiser of training. */
#include "int_ops_test.h"

#include "primitives/maxpool_layer.h"
#include "primitives/reorg_layer.h"
#include "primitives/route_layer.h"
#include "primitives/upsample_layer.h"

enum { MOVES = 60 };

/* An operation that moves codes, and the float layer that moves values in its way. */
typedef struct move {
    gdrq_tensor_shape in, out;
    gdrq_grid grid;
    uint8_t *codes;
    float *values, *result; /* in NCHW: of codes, and what the float layer makes of them */
} move;

static float *decode(gdrq_tensor_shape s, const gdrq_grid *grid, const uint8_t *codes) {
    const size_t plane = (size_t)(s.w * s.h);
    float *const values = zeros(count(s));
    for (size_t i = 0; i < count(s); i++)
        values[i] = grid->step * (float)(codes[i % plane * (size_t)s.c + i / plane] + grid->min);
    return values;
}

static move make_move(gdrq_tensor_shape in, gdrq_tensor_shape out) {
    move m = {.in = in, .out = out, .grid = random_grid()};
    m.codes = random_codes(count(in), &m.grid);
    m.values = decode(in, &m.grid, m.codes);
    m.result = zeros(count(out));
    return m;
}

/* From codes that lie in_pixel apart from pixel to pixel to such that do out_pixel. */
typedef void move_codes(const move *m, const layer *l, const uint8_t *in, size_t in_pixel,
                        uint8_t *out, size_t out_pixel);

static size_t pixels_of(gdrq_tensor_shape s) {
    return (size_t)(s.w * s.h);
}

/* By themselves and, every second time, between the channels of other tensors; freed by the caller.
 */
static uint8_t *moved_codes(const char *what, const move *m, const layer *l, bool between,
                            move_codes *run) {
    const size_t in_c = (size_t)m->in.c, out_c = (size_t)m->out.c;
    const size_t in_pixel = in_c + (between ? (size_t)random_int(0, 9) : 0);
    const size_t out_pixel = out_c + (between ? (size_t)random_int(0, 9) : 0);
    const size_t n = (pixels_of(m->out) - 1) * out_pixel + out_c;
    uint8_t *const in = spread_codes(m->codes, pixels_of(m->in), in_c, in_pixel);
    uint8_t *const out = guarded(n), *const codes = malloc(count(m->out));
    run(m, l, in, in_pixel, out, out_pixel);
    check_guards(what, out, n);
    gather_codes(what, out, pixels_of(m->out), out_c, out_pixel, codes);
    free(in);
    free_guarded(out);
    return codes;
}

/* Runs both; frees. */
static void check_move(const char *what, move *m, layer l, layer_function *forward, network net,
                       move_codes *run) {
    set_layer_shapes(&l, m->in, m->out);
    l.output = m->result;
    net.input = m->values;
    forward(l, net);
    const int before = omp_get_max_threads();
    for (int i = 0; i < THREAD_COUNTS; i++) {
        omp_set_num_threads(thread_counts[i]);
        uint8_t *const out = moved_codes(what, m, &l, i % 2, run);
        float *const decoded = decode(m->out, &m->grid, out);
        for (size_t k = 0; k < count(m->out); k++)
            if (decoded[k] != m->result[k])
                fail_msg("%s of %dx%dx%d to %dx%dx%d, size %d, stride %d, pad %d, reverse %d: "
                         "[%zu] is %.9g, not %.9g",
                         what, m->in.w, m->in.h, m->in.c, m->out.w, m->out.h, m->out.c, l.size,
                         l.stride, l.pad, l.reverse, k, decoded[k], m->result[k]);
        free(decoded);
        free(out);
    }
    omp_set_num_threads(before);
    free(m->codes);
    free(m->values);
    free(m->result);
}

static gdrq_tensor_shape random_shape(int i) {
    const int side = i % 5 ? 20 : 60;
    return (gdrq_tensor_shape){random_int(1, side), random_int(1, side), random_int(1, 70)};
}

static void run_maxpool(const move *m, const layer *l, const uint8_t *in, size_t in_pixel,
                        uint8_t *out, size_t out_pixel) {
    const gdrq_int_pool pool = {
        .in = m->in, .out = m->out, .size = l->size, .stride = l->stride, .pad = l->pad};
    gdrq_int_maxpool(&pool, in, in_pixel, out, out_pixel);
}

/* All windows begin in front of the image's end and end behind its beginning. */
static bool windows_meet(int in, int out, int size, int stride, int pad) {
    const int first = -(pad / 2);
    return out > 0 && first + size > 0 && first + (out - 1) * stride < in;
}

static void maxpool(void **state) {
    (void)state;
    seed_random(15);
    for (int i = 0, tried = 0; i < MOVES; tried++) {
        const int size = random_int(1, 6), stride = random_int(1, 4);
        const int pad = tried % 3 ? size - 1 : random_int(0, 2 * size);
        const gdrq_tensor_shape in = random_shape(i);
        const gdrq_tensor_shape out = {in.w + pad < size ? 0 : (in.w + pad - size) / stride + 1,
                                       in.h + pad < size ? 0 : (in.h + pad - size) / stride + 1,
                                       in.c};
        if (!windows_meet(in.w, out.w, size, stride, pad) ||
            !windows_meet(in.h, out.h, size, stride, pad))
            continue;
        move m = make_move(in, out);
        int *const indexes = malloc(count(out) * sizeof *indexes);
        const layer l = {.size = size, .stride = stride, .pad = pad, .indexes = indexes};
        check_move("maxpool", &m, l, gdrq_forward_maxpool_layer, (network){0}, run_maxpool);
        free(indexes);
        i++;
    }
}

static void run_upsample(const move *m, const layer *l, const uint8_t *in, size_t in_pixel,
                         uint8_t *out, size_t out_pixel) {
    gdrq_int_upsample(m->in, l->stride, in, in_pixel, out, out_pixel);
}

static void upsample(void **state) {
    (void)state;
    seed_random(16);
    for (int i = 0; i < MOVES; i++) {
        const gdrq_tensor_shape in = random_shape(i);
        const int stride = random_int(1, 4);
        move m = make_move(in, (gdrq_tensor_shape){in.w * stride, in.h * stride, in.c});
        check_move("upsample", &m, (layer){.stride = stride, .scale = 1},
                   gdrq_forward_upsample_layer, (network){0}, run_upsample);
    }
}

static void run_reorg(const move *m, const layer *l, const uint8_t *in, size_t in_pixel,
                      uint8_t *out, size_t out_pixel) {
    gdrq_int_reorg(m->in, m->out, l->stride, l->reverse, in, in_pixel, out, out_pixel);
}

static void reorg(void **state) {
    (void)state;
    seed_random(17);
    for (int i = 0; i < MOVES; i++) {
        const int stride = random_int(1, 3), square = stride * stride;
        const bool reverse = random_int(0, 1);
        const int c = square * random_int(1, 10), step = reverse ? 1 : stride;
        const int w = step * random_int(1, 12), h = step * random_int(1, 12);
        const gdrq_tensor_shape in = {w, h, c};
        const gdrq_tensor_shape out = reverse
                                          ? (gdrq_tensor_shape){w * stride, h * stride, c / square}
                                          : (gdrq_tensor_shape){w / stride, h / stride, c * square};
        move m = make_move(in, out);
        check_move("reorg", &m, (layer){.stride = stride, .reverse = reverse},
                   gdrq_forward_reorg_layer, (network){0}, run_reorg);
    }
}

static void run_crop(const move *m, const layer *l, const uint8_t *in, size_t in_pixel,
                     uint8_t *out, size_t out_pixel) {
    (void)l;
    gdrq_int_crop(m->in, m->out, in, in_pixel, out, out_pixel);
}

static void crop(void **state) {
    (void)state;
    seed_random(18);
    layer_function *const forward = (layer_function *)host_function("forward_crop_layer");
    for (int i = 0; i < MOVES; i++) {
        const gdrq_tensor_shape in = random_shape(i);
        move m = make_move(in, (gdrq_tensor_shape){random_int(1, in.w), random_int(1, in.h), in.c});
        check_move("crop", &m, (layer){.noadjust = 1, .flip = 1}, forward, (network){0}, run_crop);
    }
}

enum { MOST_PARTS = 4 };

/* The parts are those that the first channels of the input, the next ones, and so on make. */
static void run_route(const move *m, const layer *l, const uint8_t *in, size_t in_pixel,
                      uint8_t *out, size_t out_pixel) {
    gdrq_int_part parts[MOST_PARTS];
    const size_t plane = (size_t)(m->in.w * m->in.h);
    size_t first = 0;
    for (int i = 0; i < l->n; i++) {
        const size_t channels = (size_t)l->input_sizes[i] / plane;
        uint8_t *const codes = malloc(plane * channels);
        assert_non_null(codes);
        for (size_t p = 0; p < plane; p++)
            memcpy(codes + p * channels, in + p * in_pixel + first, channels);
        parts[i] = (gdrq_int_part){codes, (int)channels, channels};
        first += channels;
    }
    gdrq_int_route(m->in.w, m->in.h, parts, l->n, out, out_pixel);
    for (int i = 0; i < l->n; i++)
        free((void *)parts[i].codes);
}

/* Four tensors joined are what they were cut from. */
static void route(void **state) {
    (void)state;
    seed_random(19);
    for (int i = 0; i < MOVES; i++) {
        gdrq_tensor_shape shape = random_shape(i);
        const size_t plane = (size_t)(shape.w * shape.h);
        int sizes[MOST_PARTS], inputs[MOST_PARTS];
        const int n = random_int(1, MOST_PARTS);
        shape.c = 0;
        for (int k = 0; k < n; k++) {
            const int channels = random_int(1, 40);
            sizes[k] = (int)plane * channels;
            inputs[k] = k;
            shape.c += channels;
        }
        move m = make_move(shape, shape);
        layer layers[MOST_PARTS] = {{0}};
        float *at = m.values;
        for (int k = 0; k < n; at += sizes[k++])
            layers[k].output = at;
        check_move("route", &m, (layer){.n = n, .input_layers = inputs, .input_sizes = sizes},
                   gdrq_forward_route_layer, (network){.layers = layers}, run_route);
    }
}

/* A quarter of the values lie between two codes or on one, some are not finite. */
static float *values_to_quantise(size_t n, const gdrq_grid *grid) {
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -0.f};
    float *const x = random_array(n, grid->step * (float)grid->max);
    for (size_t i = 0; i < n; i++) {
        if (random_int(0, 3) == 0)
            x[i] = grid->step * .5f * (float)random_int(2 * grid->min - 3, 2 * grid->max + 3);
        if (random_int(0, 30) == 0)
            x[i] = odd[random_int(0, 4)];
    }
    return x;
}

static void quantised_values(void **state) {
    (void)state;
    seed_random(20);
    const int before = omp_get_max_threads();
    for (int i = 0; i < 2 * MOVES; i++) {
        const gdrq_tensor_shape shape = {random_int(1, 40), random_int(1, 40),
                                         random_int(1, i % 4 ? 20 : 150)};
        const gdrq_grid grid =
            i % 10 ? random_grid() : gdrq_activation_grid(4, GDRQ_RANGE_OFFSET, .1f, 0);
        float *const values = values_to_quantise(count(shape), &grid);
        uint8_t *const expected = expected_codes(shape, &grid, values);
        for (int t = 0; t < THREAD_COUNTS; t++) {
            uint8_t *const codes = guarded(count(shape));
            omp_set_num_threads(thread_counts[t]);
            gdrq_int_quantise(shape, &grid, values, codes, (size_t)shape.c);
            check_guards("quantise", codes, count(shape));
            assert_memory_equal(codes, expected, count(shape));
            free_guarded(codes);
        }
        free(values);
        free(expected);
    }
    omp_set_num_threads(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maxpool), cmocka_unit_test(upsample), cmocka_unit_test(reorg),
        cmocka_unit_test(crop),    cmocka_unit_test(route),    cmocka_unit_test(quantised_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
