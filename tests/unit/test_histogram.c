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

/* Marks are white or of their colour: how many pixels are, between two values and two heights. */
static int count_pixels(const picture *p, double from, double to, int low, int high,
                        unsigned colour) {
    int n = 0;
    for (int up = low; up < high; up++)
        for (int x = 0; x < (int)((to - from) * 100); x++)
            n += colour_at(p, from + (x + .5) / 100, up) == colour;
    return n;
}

static int count_inked(const picture *p, double from, double to, int low, int high) {
    return (int)((to - from) * 100) * (high - low) -
           count_pixels(p, from, to, low, high, PLOT_WHITE);
}

/* All but one of 32 at code 1, of which the view's top leaves a fifth. */
static gdrq_distribution spike(void) {
    float x[32];
    for (int i = 0; i < 32; i++)
        x[i] = i ? 1 : -2;
    const gdrq_grid grid = gdrq_weight_grid(3, 3.f);
    return distribution(x, 32, &grid);
}

static void bars_that_are_cut_are_broken_and_labelled(void **state) {
    (void)state;
    const gdrq_distribution d = spike();
    for (int small = 0; small < 2; small++) {
        picture p;
        canvas c;
        histogram h = on_canvas(&c, &p, &d);
        h.small = small;
        histogram_draw_codes(&h);
        assert_int_equal(count_pixels(&p, .7, 1.3, 85, 96, PLOT_WHITE), 0);
        picture_free(&p);
        h = on_canvas(&c, &p, &d);
        h.small = small;
        h.view.top = .2;
        histogram_draw_codes(&h);
        histogram_mark_codes(&h);
        /* The break goes from side to side of the bar, which goes on above and below it. */
        assert_true(count_pixels(&p, .7, 1.3, 90, 100, PLOT_WHITE) > 50);
        assert_int_equal(colour_at(&p, 1, 99), HISTOGRAM_CODES);
        assert_int_equal(colour_at(&p, 1, 85), HISTOGRAM_CODES);
        assert_true(count_inked(&p, 1.38, 2.2, 85, 100) > 20);
        assert_int_equal(count_inked(&p, -4.5, .6, 85, 100), 0);
        picture_free(&p);
    }
}

static void values_that_are_cut_are_marked_as_codes_are(void **state) {
    (void)state;
    const gdrq_distribution d = spike();
    for (int small = 0; small < 2; small++) {
        picture p;
        canvas c;
        histogram h = on_canvas(&c, &p, &d);
        h.small = small;
        histogram_mark_values(&h);
        assert_int_equal(count_inked(&p, -4.5, 4.5, 0, 100), 0);
        h.view.top = .2;
        histogram_draw_values(&h, HISTOGRAM_VALUES, HISTOGRAM_CLIPPED);
        /* A bar of a whole code's width begins at .5. */
        assert_int_equal(count_pixels(&p, .6, 1.4, 80, 100, HISTOGRAM_VALUES), 80 * 20);
        histogram_mark_values(&h);
        assert_true(count_pixels(&p, .6, 1.4, 90, 100, PLOT_WHITE) > 50);
        assert_int_equal(count_inked(&p, 1.52, 3.5, 85, 100) > 20, !small);
        picture_free(&p);
    }
}

/* A tenth of the numbers at 4T and more: a bar beyond 3T, as high as a code with as many. */
static gdrq_distribution far_out(void) {
    float x[30];
    for (int i = 0; i < 30; i++)
        x[i] = i % 10 ? .5f : 4 + (float)i;
    const gdrq_grid grid = gdrq_activation_grid(2, GDRQ_RANGE_UNSIGNED, 0, 1.f);
    return distribution(x, 30, &grid);
}

static void what_is_beyond_3t_is_no_spike_there(void **state) {
    (void)state;
    const gdrq_distribution d = far_out();
    for (int small = 0; small < 2; small++) {
        picture p;
        canvas c;
        histogram h = on_canvas(&c, &p, &d);
        h.small = small;
        h.view = (histogram_view){1.5, 10.5, .5}; /* T is at 3 */
        histogram_draw_values(&h, HISTOGRAM_VALUES, HISTOGRAM_CLIPPED);
        /* colour_at() counts from -4.5. */
        const double at = -6;
        assert_int_equal(colour_at(&p, 9.2 + at, 0), HISTOGRAM_CLIPPED);
        assert_int_equal(colour_at(&p, 9.2 + at, 18), HISTOGRAM_CLIPPED);
        assert_int_equal(colour_at(&p, 9.2 + at, 21), PLOT_WHITE);
        assert_int_equal(count_pixels(&p, 3.1 + at, 8.9 + at, 0, 100, HISTOGRAM_CLIPPED), 0);
        assert_int_equal(count_pixels(&p, 9.6 + at, 10.5 + at, 0, 100, HISTOGRAM_CLIPPED), 0);
        histogram_mark_values(&h);
        assert_true(count_inked(&p, 9.6 + at, 10.5 + at, 2, 40) > 20);
        picture_free(&p);
        /* Not where the view ends before. */
        h = on_canvas(&c, &p, &d);
        h.small = small;
        h.view = (histogram_view){-.5, 8.5, .5};
        histogram_draw_values(&h, HISTOGRAM_VALUES, HISTOGRAM_CLIPPED);
        histogram_mark_values(&h);
        assert_int_equal(count_pixels(&p, -4.5, 4.5, 0, 100, HISTOGRAM_CLIPPED), 0);
        picture_free(&p);
    }
}

/* Where codes hide the values, and nowhere else. */
static void the_outline_shows_values_before_codes(void **state) {
    (void)state;
    const gdrq_distribution d = example();
    picture p;
    canvas c;
    histogram h = on_canvas(&c, &p, &d);
    histogram_draw_values(&h, HISTOGRAM_VALUES, HISTOGRAM_CLIPPED);
    histogram_draw_codes(&h);
    histogram_outline_values(&h);
    assert_int_equal(colour_at(&p, 1, 49), HISTOGRAM_OUTLINE);
    assert_int_equal(colour_at(&p, 1.2, 49), HISTOGRAM_OUTLINE);
    assert_int_equal(colour_at(&p, 1.2, 40), HISTOGRAM_CODES);
    assert_int_equal(colour_at(&p, 2, 0), PLOT_WHITE);
    picture_free(&p);
    h = on_canvas(&c, &p, &d);
    h.unit = 10;
    histogram_outline_values(&h);
    assert_int_equal(count_pixels(&p, -4.5, 4.5, 0, 100, HISTOGRAM_OUTLINE), 0);
    picture_free(&p);
}

static void lines_are_at_t_and_at_a_uniform_share(void **state) {
    (void)state;
    const gdrq_distribution d = example();
    picture p;
    canvas c;
    const histogram h = on_canvas(&c, &p, &d);
    histogram_draw_uniform(&h);
    histogram_draw_thresholds(&h);
    assert_true(count_pixels(&p, -3.5, 3.5, 14, 15, HISTOGRAM_UNIFORM) > 350);
    assert_int_equal(count_pixels(&p, -4.5, 4.5, 15, 100, HISTOGRAM_UNIFORM), 0);
    assert_true(count_pixels(&p, -3, -2.98, 0, 100, HISTOGRAM_CLIPPED) > 50);
    assert_true(count_pixels(&p, 3, 3.02, 0, 100, HISTOGRAM_CLIPPED) > 50);
    assert_int_equal(count_pixels(&p, -2.9, 2.9, 0, 100, HISTOGRAM_CLIPPED), 0);
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

/* Values that peak within a code are shown whole, unless it is a spike. */
static void a_view_shows_peaks_but_no_spikes(void **state) {
    (void)state;
    const gdrq_grid grid = gdrq_weight_grid(2, 1.f);
    float x[60];
    gdrq_distribution d, sum;
    for (int wide = 0; wide < 2; wide++) {
        gdrq_distribution_start(&sum, grid.min, grid.max);
        for (int k = 0; k < 400; k++) {
            for (int i = 0; i < 60; i++)
                x[i] = (float)(i % 3 - 1) +
                       (i < 27 ? (float)k / 400 - .5f : wide * .4f * ((float)k / 400 - .5f));
            d = distribution(x, 60, &grid);
            sum.n += d.n;
            for (int i = 0; i < d.n_bins; i++)
                sum.bins[i] += d.bins[i];
            for (int i = 0; i < 3; i++)
                sum.codes[i] += d.codes[i];
        }
        const histogram_view v = histogram_view_of(&sum);
        assert_true(v.top > .33 && (wide ? v.top > .5 : v.top < .5));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_bars_of_their_share),
        cmocka_unit_test(values_stand_where_they_are),
        cmocka_unit_test(bars_that_are_cut_are_broken_and_labelled),
        cmocka_unit_test(values_that_are_cut_are_marked_as_codes_are),
        cmocka_unit_test(what_is_beyond_3t_is_no_spike_there),
        cmocka_unit_test(the_outline_shows_values_before_codes),
        cmocka_unit_test(lines_are_at_t_and_at_a_uniform_share),
        cmocka_unit_test(a_view_shows_the_grid_and_the_tails),
        cmocka_unit_test(a_single_high_bar_is_cut),
        cmocka_unit_test(a_view_shows_peaks_but_no_spikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
