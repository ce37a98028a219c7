/* gdrq_letterbox() against a bilinear resize in double, and its guarantees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdrq.h"

enum { GUARD = 0xA5 };

static unsigned seed = 20190801;

static unsigned char *random_bytes(size_t n, unsigned state) {
    unsigned char *const bytes = test_malloc(n);
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(state >> 24);
    }
    return bytes;
}

static double clamp(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

/* The red, green or blue sample that (x, y) of the resized image should have. */
static double bilinear(const gdrq_pixels *in, int channel, int x, int y, int new_w, int new_h) {
    const int byte = in->order == GDRQ_RGB ? channel : 2 - channel;
    const double sx = clamp((x + .5) * in->w / new_w - .5, 0, in->w - 1);
    const double sy = clamp((y + .5) * in->h / new_h - .5, 0, in->h - 1);
    const int x0 = (int)sx, y0 = (int)sy;
    const int x1 = x0 + 1 < in->w ? x0 + 1 : x0, y1 = y0 + 1 < in->h ? y0 + 1 : y0;
    const unsigned char *const top = in->data + y0 * in->stride + byte;
    const unsigned char *const bottom = in->data + y1 * in->stride + byte;
    const double fx = sx - x0, fy = sy - y0;
    return (1 - fy) * ((1 - fx) * top[3 * x0] + fx * top[3 * x1]) +
           fy * ((1 - fx) * bottom[3 * x0] + fx * bottom[3 * x1]);
}

static void host_geometry(int w, int h, int net_w, int net_h, int *new_w, int *new_h) {
    const bool wide = (float)net_w / w < (float)net_h / h;
    *new_w = wide ? net_w : (int)((int64_t)w * net_h / h);
    *new_h = wide ? (int)((int64_t)h * net_w / w) : net_h;
    *new_w = *new_w ? *new_w : 1;
    *new_h = *new_h ? *new_h : 1;
}

static void assert_letterboxed(const gdrq_pixels *in, int net_w, int net_h,
                               const unsigned char *out) {
    int new_w, new_h;
    host_geometry(in->w, in->h, net_w, net_h, &new_w, &new_h);
    const int left = (net_w - new_w) / 2, top = (net_h - new_h) / 2;
    for (int i = 0; i < 3 * net_w * net_h; i++) {
        const int channel = i / (net_w * net_h);
        const int x = i % net_w - left, y = i / net_w % net_h - top;
        const bool inside = x >= 0 && x < new_w && y >= 0 && y < new_h;
        const double expected = inside ? bilinear(in, channel, x, y, new_w, new_h) : 128;
        if (fabs(out[i] - expected) > (inside ? 1 : 0))
            fail_msg("%dx%d to %dx%d: channel %d at (%d, %d) is %d, not %g (seed %u)", in->w, in->h,
                     net_w, net_h, channel, x, y, out[i], expected, seed);
    }
}

static unsigned char *letterboxed(const gdrq_pixels *in, int net_w, int net_h) {
    const size_t n = (size_t)3 * net_w * net_h;
    unsigned char *const out = test_malloc(n + 1);
    out[n] = GUARD;
    gdrq_error err;
    assert_int_equal(gdrq_letterbox(in, net_w, net_h, out, &err), GDRQ_OK);
    assert_int_equal(out[n], GUARD);
    return out;
}

static void check_size(int w, int h, int net_w, int net_h, size_t padding) {
    const size_t stride = 3 * (size_t)w + padding;
    unsigned char *const data = random_bytes(stride * h, seed + w + h);
    for (int order = GDRQ_RGB; order <= GDRQ_BGR; order++) {
        const gdrq_pixels in = {data, w, h, stride, order};
        unsigned char *const out = letterboxed(&in, net_w, net_h);
        assert_letterboxed(&in, net_w, net_h, out);
        test_free(out);
    }
    test_free(data);
}

static void matches_double_reference(void **state) {
    (void)state;
    static const int cases[][4] = {
        {768, 576, 416, 416}, {37, 53, 64, 96}, {53, 37, 96, 64}, {1, 1, 1, 1},
        {1, 1, 7, 5},         {300, 2, 32, 32}, {2, 300, 32, 32}, {1, 700, 32, 64},
        {700, 1, 64, 32},     {31, 33, 31, 40}, {97, 89, 13, 11}, {3, 3, 608, 320},
        {640, 480, 1, 1},     {5, 4, 2, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *const c = cases[i];
        check_size(c[0], c[1], c[2], c[3], 0);
        check_size(c[0], c[1], c[2], c[3], 17);
    }
}

/* floor((2048 * ((2d + 1) * src - dst) + dst) / (2 * dst)), clamped. */
static int64_t position(int d, int src, int dst) {
    const int64_t above = 2048 * ((2 * (int64_t)d + 1) * src - dst) + dst, last = 2048L * (src - 1);
    const int64_t p = above < 0 ? 0 : above / (2 * dst);
    return p > last ? last : p;
}

/* The sample as gdrq_letterbox()'s formula has it, to the bit. */
static int exact(const gdrq_pixels *in, int channel, int x, int y, int new_w, int new_h) {
    const int64_t px = position(x, in->w, new_w), py = position(y, in->h, new_h);
    const int64_t f = px % 2048, g = py % 2048;
    const int next = px / 2048 + 1 < in->w ? 3 : 0;
    const unsigned char *const top = in->data + py / 2048 * (int64_t)in->stride + px / 2048 * 3 +
                                     (in->order == GDRQ_RGB ? channel : 2 - channel);
    const unsigned char *const bottom = top + (py / 2048 + 1 < in->h ? in->stride : 0);
    return (int)(((2048 - g) * ((2048 - f) * top[0] + f * top[next]) +
                  g * ((2048 - f) * bottom[0] + f * bottom[next]) + (1 << 21)) >>
                 22);
}

/* The last row ends where the memory ends, as tools that watch it know. */
static void check_exact(int w, int h, int net_w, int net_h, gdrq_pixel_order order) {
    const size_t stride = 3 * (size_t)w + 5;
    unsigned char *const data = random_bytes(stride * (h - 1) + 3 * (size_t)w, seed + w * h);
    const gdrq_pixels in = {data, w, h, stride, order};
    unsigned char *const out = letterboxed(&in, net_w, net_h);
    int new_w, new_h;
    host_geometry(w, h, net_w, net_h, &new_w, &new_h);
    const int left = (net_w - new_w) / 2, top = (net_h - new_h) / 2;
    for (int i = 0; i < 3 * net_w * net_h; i++) {
        const int channel = i / (net_w * net_h);
        const int x = i % net_w - left, y = i / net_w % net_h - top;
        const bool inside = x >= 0 && x < new_w && y >= 0 && y < new_h;
        const int expected = inside ? exact(&in, channel, x, y, new_w, new_h) : 128;
        if (out[i] != expected)
            fail_msg("%dx%d to %dx%d: channel %d at (%d, %d) is %d, not %d (seed %u)", w, h, net_w,
                     net_h, channel, x, y, out[i], expected, seed);
    }
    test_free(out);
    test_free(data);
}

static void all_processors_compute_the_formula(void **state) {
    (void)state;
    static const char *const sets[] = {"c", "avx2", "avx512vnni"};
    gdrq_error err;
    srand(seed);
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        assert_int_equal(gdrq_set_cpu(sets[k], &err), GDRQ_OK);
        for (int w = 1; w <= 12; w++)
            check_exact(w, 5, 16, 16, w % 2 ? GDRQ_RGB : GDRQ_BGR);
        for (int i = 0; i < 60; i++)
            check_exact(1 + rand() % 150, 1 + rand() % 90, 1 + rand() % 100, 1 + rand() % 60,
                        i % 2 ? GDRQ_RGB : GDRQ_BGR);
    }
}

static void equal_sizes_copy(void **state) {
    (void)state;
    enum { W = 45, H = 31 };
    unsigned char *const data = random_bytes(3 * W * H, seed);
    const gdrq_pixels in = {data, W, H, 3 * W, GDRQ_BGR};
    unsigned char *const out = letterboxed(&in, W, H);
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < W * H; i++)
            assert_int_equal(out[c * W * H + i], data[3 * i + 2 - c]);
    }
    test_free(out);
    test_free(data);
}

/* 2x1 codes 0 and 255 on 4x2: weights 0, 1/4, 3/4, 1, halves rounded up as the formula says. */
static void known_values(void **state) {
    (void)state;
    const unsigned char data[] = {0, 0, 0, 255, 2, 1};
    const gdrq_pixels in = {data, 2, 1, 6, GDRQ_RGB};
    const unsigned char row[3][4] = {{0, 64, 191, 255}, {0, 1, 2, 2}, {0, 0, 1, 1}};
    unsigned char *const out = letterboxed(&in, 4, 2);
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < 2; y++)
            assert_memory_equal(out + 8 * c + 4 * y, row[c], 4);
    }
    test_free(out);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    enum { W = 333, H = 217, NET_W = 160, NET_H = 224 };
    unsigned char *const data = random_bytes(3 * W * H, seed);
    const gdrq_pixels in = {data, W, H, 3 * W, GDRQ_RGB};
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    unsigned char *const one = letterboxed(&in, NET_W, NET_H);
    for (int threads = 2; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        unsigned char *const many = letterboxed(&in, NET_W, NET_H);
        assert_memory_equal(one, many, 3 * NET_W * NET_H);
        test_free(many);
    }
    omp_set_num_threads(before);
    test_free(one);
    test_free(data);
}

static void refuse(const gdrq_pixels *in, int net_w, int net_h, bool has_out) {
    unsigned char out[3 * 4 * 4];
    memset(out, GUARD, sizeof out);
    gdrq_error err = {""};
    assert_int_equal(gdrq_letterbox(in, net_w, net_h, has_out ? out : NULL, &err),
                     GDRQ_ERROR_ARGUMENT);
    assert_true(err.message[0] != '\0');
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], GUARD);
}

static void refuses_wrong_calls(void **state) {
    (void)state;
    static const unsigned char data[48];
    const gdrq_pixels good = {data, 4, 4, 12, GDRQ_RGB};
    gdrq_pixels bad[] = {good, good, good, good, good, good, good};
    bad[0].data = NULL;
    bad[1].w = 0;
    bad[2].h = -1;
    bad[3].stride = 11;
    bad[4].w = (1 << 16) + 1;
    bad[4].stride = (size_t)3 * bad[4].w;
    bad[5].h = (1 << 16) + 1;
    bad[6].order = 2;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(&bad[i], 4, 4, true);
    refuse(NULL, 4, 4, true);
    refuse(&good, 4, 4, false);
    refuse(&good, 0, 4, true);
    refuse(&good, 4, -3, true);
    refuse(&good, (1 << 16) + 1, 4, true);
    refuse(&good, 4, (1 << 16) + 1, true);
}

int main(void) {
    const char *const given = getenv("TEST_SEED");
    if (given)
        seed = (unsigned)strtoul(given, NULL, 10);
    printf("seed %u (TEST_SEED=... chooses another)\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_double_reference),
        cmocka_unit_test(all_processors_compute_the_formula),
        cmocka_unit_test(equal_sizes_copy),
        cmocka_unit_test(known_values),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(refuses_wrong_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
