/* Histograms of inspect: which colour stands where, and what a view shows. */
#include "cmocka_all.h"
#include "inspect/histogram.h"
#include "quant/distribution.h"
#include "quant/quantise.h"

enum { WIDTH = 900, HEIGHT = 100 };

static gdrq_distribution distribution(const float *x, size_t n, const gdrq_grid *grid) {
    gdrq_distribution d;
    float codes[64];
    assert_true(n <= 64);
    gdrq_quantise(x, n, grid, true, codes);
    gdrq_distribution_start(&d, grid->min, grid->max);
    assert_true(gdrq_distribution_add(&d, x, codes, n, grid));
    return d;
}

/* Of eight: four at 1, two beyond T = 3, one at -3 and one below it. */
static gdrq_distribution example(void) {
    const float x[] = {1.1f, 1.1f, 1.1f, 1.1f, 4.1f, 4.1f, -2.9f, -3.6f};
    const gdrq_grid grid = gdrq_weight_grid(3, 3.f);
    return distribution(x, 8, &grid);
}

/* 100 pixels per step from -4.5 on; 100 pixels up are all numbers. */
static histogram on_canvas(canvas *c, picture *p, const gdrq_distribution *d) {
    gdrq_error err;
    assert_int_equal(picture_make(WIDTH, HEIGHT, (const unsigned char[]){255, 255, 255}, p, &err),
                     GDRQ_OK);
    *c = (canvas){.on = p};
    return (histogram){.canvas = c,
                       .box = {0, 0, WIDTH, HEIGHT},
                       .unit = 1,
                       .of = d,
                       .view = {-4.5, 4.5, 1},
                       .small = true};
}

static unsigned colour_at(const picture *p, double steps, int up) {
    const size_t x = (size_t)((steps + 4.5) * 100), y = (size_t)(HEIGHT - 1 - up);
    const unsigned char *pixel = p->data + 3 * (y * WIDTH + x);
    return (unsigned)pixel[2] << 16 | (unsigned)pixel[1] << 8 | pixel[0];
}

static void codes_are_bars_of_their_share(void **state) {
    (void)state;
    const gdrq_distribution d = example();
    picture p;
    canvas c;
    const histogram h = on_canvas(&c, &p, &d);
    histogram_draw_codes(&h);
    assert_int_equal(c.status, GDRQ_OK);
    assert_int_equal(colour_at(&p, 1, 0), HISTOGRAM_CODES);
    assert_int_equal(colour_at(&p, 1, 48), HISTOGRAM_CODES);
    assert_int_equal(colour_at(&p, 1, 52), PLOT_WHITE);
    assert_int_equal(colour_at(&p, 1.5, 0), PLOT_WHITE);
    assert_int_equal(colour_at(&p, 0, 0), PLOT_WHITE);
    /* What was moved to an end stands upon what was there. */
    assert_int_equal(colour_at(&p, 3, 1), HISTOGRAM_CLIPPED);
    assert_int_equal(colour_at(&p, 3, 23), HISTOGRAM_CLIPPED);
    assert_int_equal(colour_at(&p, 3, 27), PLOT_WHITE);
    assert_int_equal(colour_at(&p, -3, 10), HISTOGRAM_CODES);
    assert_int_equal(colour_at(&p, -3, 14), HISTOGRAM_CLIPPED);
    assert_int_equal(colour_at(&p, -3, 27), PLOT_WHITE);
    picture_free(&p);
}

static void values_stand_where_they_are(void **state) {
    (void)state;
    const gdrq_distribution d = example();
    picture p;
    canvas c;
    const histogram h = on_canvas(&c, &p, &d);
    histogram_draw_values(&h, HISTOGRAM_VALUES, HISTOGRAM_CLIPPED);
    assert_int_equal(c.status, GDRQ_OK);
    assert_int_equal(colour_at(&p, 1.1, 20), HISTOGRAM_VALUES);
    assert_int_equal(colour_at(&p, 4.1, 10), HISTOGRAM_CLIPPED);
    assert_int_equal(colour_at(&p, -3.3, 10), PLOT_WHITE);
    assert_int_equal(colour_at(&p, -3.6, 10), HISTOGRAM_CLIPPED);
    assert_int_equal(colour_at(&p, -2.9, 10), HISTOGRAM_VALUES);
    assert_int_equal(colour_at(&p, 2, 0), PLOT_WHITE);
    picture_free(&p);
}

static void a_view_shows_the_grid_and_the_tails(void **state) {
    (void)state;
    const gdrq_distribution d = example();
    const histogram_view v = histogram_view_of(&d);
    assert_true(v.to > 4.1 && v.from == -v.to);
    assert_true(v.top > .5 && v.top < .7);
    const float small[] = {.1f, .2f, .3f};
    const gdrq_grid grid = gdrq_activation_grid(4, GDRQ_RANGE_OFFSET, .1f, 14.f);
    const gdrq_distribution few = distribution(small, 3, &grid);
    const histogram_view w = histogram_view_of(&few);
    assert_true(w.from < -1.5 && w.from > -3 && w.to > 14.5 && w.to < 16);
    const gdrq_distribution none = {.min = -3, .max = 3};
    const histogram_view both = histogram_view_of_both(&none, &d);
    assert_memory_equal(&both, &v, sizeof v);
}

/* One code with 24 of 32 numbers, four with 2 each: these can be seen. */
static void a_single_high_bar_is_cut(void **state) {
    (void)state;
    float x[32] = {0};
    for (int i = 0; i < 8; i++)
        x[i] = (float)(1 + i / 4) * (i % 2 ? 1 : -1);
    const gdrq_grid grid = gdrq_weight_grid(3, 3.f);
    const gdrq_distribution d = distribution(x, 32, &grid);
    const histogram_view v = histogram_view_of(&d);
    assert_true(v.top > 2. / 32 && v.top < 8. / 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_bars_of_their_share),
        cmocka_unit_test(values_stand_where_they_are),
        cmocka_unit_test(a_view_shows_the_grid_and_the_tails),
        cmocka_unit_test(a_single_high_bar_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
