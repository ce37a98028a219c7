/* Shortcuts, pools and turns of values in NHWC against the float layers, which have them in NCHW.
 */
#include "int_ops_test.h"

#include "primitives/kernels.h"
#include "primitives/maxpool_layer.h"
#include "primitives/shortcut_layer.h"

enum { CASES = 60 };

static void activate(float *x, size_t n, int which) {
    gdrq_activate_block(x, n, (ACTIVATION)which);
}

/* [c][plane] to [plane][c]. */
static float *interleaved(gdrq_tensor_shape s, const float *values) {
    const size_t plane = (size_t)(s.w * s.h);
    float *const out = zeros(count(s));
    for (size_t i = 0; i < count(s); i++)
        out[i % plane * (size_t)s.c + i / plane] = values[i];
    return out;
}

static gdrq_tensor_shape random_shape(void) {
    return (gdrq_tensor_shape){random_int(1, 40), random_int(1, 30), random_int(1, 70)};
}

static void interleave(void **state) {
    (void)state;
    seed_random(801);
    for (int i = 0; i < CASES; i++) {
        const gdrq_tensor_shape s = random_shape();
        const size_t bytes = count(s) * sizeof(float);
        float *const values = random_array(count(s), 1), *const expected = interleaved(s, values);
        float *const out = guarded(bytes);
        gdrq_int_interleave(s, values, out);
        check_guards("interleave", out, bytes);
        assert_memory_equal(out, expected, bytes);
        free_guarded(out);
        free(values);
        free(expected);
    }
}

typedef struct kind {
    gdrq_int_activation_kind ours;
    ACTIVATION host;
} kind;

/* from: what is added; of the same shape, or larger and with other channels. */
static gdrq_tensor_shape random_source(gdrq_tensor_shape s) {
    const int factor = random_int(1, 3);
    return random_int(0, 1) ? s
                            : (gdrq_tensor_shape){s.w * factor + random_int(0, s.w - 1),
                                                  s.h * factor, random_int(1, 2 * s.c)};
}

static layer shortcut_layer(gdrq_tensor_shape from, gdrq_tensor_shape s, ACTIVATION a) {
    layer l = {.type = SHORTCUT, .activation = a, .index = 0};
    set_layer_shapes(&l, from, s);
    l.inputs = l.outputs;
    l.alpha = random_int(0, 1) ? 1 : .6f;
    l.beta = random_int(0, 1) ? 1 : -1.4f;
    return l;
}

/* Ours, in all forms, on as many threads as may be. */
static void check_shortcut(const layer *l, gdrq_tensor_shape s, const gdrq_int_shortcut *shortcut,
                           const float *in) {
    const size_t n = count(s), bytes = n * sizeof(float);
    const gdrq_grid grid = random_grid();
    uint8_t *const codes = expected_codes(s, &grid, l->output);
    float *const values = interleaved(s, l->output);
    const size_t pixels = (size_t)(s.w * s.h), channels = (size_t)s.c;
    const size_t pixel = channels + (size_t)(random_int(0, 1) * random_int(0, 9));
    const size_t spread = (pixels - 1) * pixel + channels;
    const gdrq_int_output out = {.codes = guarded(spread),
                                 .pixel = pixel,
                                 .values = guarded(bytes),
                                 .interleaved = guarded(bytes)};
    uint8_t *const got = malloc(n);
    gdrq_int_shortcut_run(shortcut, in, &grid, &out);
    check_guards("codes", out.codes, spread);
    gather_codes("codes", out.codes, pixels, channels, pixel, got);
    check_guards("values", out.values, bytes);
    check_guards("interleaved values", out.interleaved, bytes);
    assert_memory_equal(got, codes, n);
    assert_memory_equal(out.values, l->output, bytes);
    assert_memory_equal(out.interleaved, values, bytes);
    free_guarded(out.codes);
    free_guarded(out.values);
    free_guarded(out.interleaved);
    free(got);
    free(codes);
    free(values);
}

static void shortcut(void **state) {
    (void)state;
    static const kind kinds[] = {{GDRQ_INT_LINEAR, LINEAR},
                                 {GDRQ_INT_RELU, RELU},
                                 {GDRQ_INT_LEAKY, LEAKY},
                                 {GDRQ_INT_OTHER, LOGISTIC}};
    seed_random(802);
    for (int i = 0; i < CASES; i++) {
        const kind k = kinds[i % 4];
        const gdrq_tensor_shape s = random_shape();
        const gdrq_tensor_shape source = random_source(s);
        float *const in = random_array(count(s), 1), *const other = random_array(count(source), 1);
        layer from = {.output = other}, l = shortcut_layer(source, s, k.host);
        l.output = zeros(count(s));
        gdrq_forward_shortcut_layer(l, (network){.layers = &from, .input = in});
        float *const ours = interleaved(s, in), *const added = interleaved(source, other);
        check_shortcut(&l, s,
                       &(gdrq_int_shortcut){.other = added,
                                            .from = source,
                                            .to = s,
                                            .a = l.alpha,
                                            .b = l.beta,
                                            .activation = {k.ours, activate, (int)k.host}},
                       ours);
        free(in);
        free(other);
        free(ours);
        free(added);
        free(l.output);
    }
}

static layer pool_layer(const gdrq_int_pool *p) {
    layer l = {.type = MAXPOOL, .size = p->size, .stride = p->stride, .pad = p->pad};
    set_layer_shapes(&l, p->in, p->out);
    l.output = zeros(count(p->out));
    l.indexes = calloc(count(p->out), sizeof *l.indexes);
    return l;
}

/* Values that are no numbers among them: the host leaves them out. */
static void pool(void **state) {
    (void)state;
    seed_random(803);
    for (int i = 0; i < CASES; i++) {
        gdrq_int_pool p = {
            .in = random_shape(), .size = random_int(1, 3), .stride = random_int(1, 3)};
        p.pad = p.size - 1;
        p.out = (gdrq_tensor_shape){(p.in.w + p.pad - p.size) / p.stride + 1,
                                    (p.in.h + p.pad - p.size) / p.stride + 1, p.in.c};
        float *const in = random_array(count(p.in), 1);
        for (size_t k = 0; k < count(p.in); k++)
            in[k] = random_int(0, 20) ? in[k] : NAN;
        layer l = pool_layer(&p);
        gdrq_forward_maxpool_layer(l, (network){.input = in});
        const size_t bytes = count(p.out) * sizeof(float);
        float *const ours = interleaved(p.in, in), *const expected = interleaved(p.out, l.output);
        float *const out = guarded(bytes);
        gdrq_int_maxpool_values(&p, ours, out);
        check_guards("maxpool", out, bytes);
        assert_memory_equal(out, expected, bytes);
        free_guarded(out);
        free(in);
        free(ours);
        free(expected);
        free(l.output);
        free(l.indexes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interleave),
        cmocka_unit_test(shortcut),
        cmocka_unit_test(pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
