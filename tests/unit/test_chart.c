/* The chart of a training: ticks, curves where the numbers belong, and no trouble with few rows. */
#include "cmocka_all.h"

#include "image/axis.h"
#include "random_data.h"
#include "train/chart.h"
#include "train/chart_series.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 1000, FRAME = 0xb9c1cc, AVERAGE = 0x1f5fa8, METRIC = 0xd65f1e, EVENT = 0x8a94a3 };

static const chart_options options = {.title = "test", .last_iteration = ROWS};

/* ---- Ticks ---- */

static void ticks_are(const axis *a, const double *expected, int n) {
    assert_int_equal(a->n_ticks, n);
    for (int i = 0; i < n; i++)
        assert_true(a->ticks[i] == expected[i]);
}

static void linear_ticks_are_round_numbers(void **state) {
    (void)state;
    const axis tens = axis_linear(0, 100, 11);
    ticks_are(&tens, (const double[]){0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100}, 11);
    const axis twenties = axis_linear(0, 100, 10);
    ticks_are(&twenties, (const double[]){0, 20, 40, 60, 80, 100}, 6);
    const axis tenths = axis_linear(.23, .78, 6);
    ticks_are(&tenths, (const double[]){.3, .4, .5, .6, .7}, 5);
    const axis below = axis_linear(-7, 12, 5);
    ticks_are(&below, (const double[]){-5, 0, 5, 10}, 4);
    assert_false(signbit(below.ticks[1]));
    const axis same = axis_linear(5, 5, 5);
    assert_true(same.from < 5 && same.to > 5);
    ticks_are(&same, (const double[]){4.6, 4.8, 5, 5.2, 5.4}, 5);
    const axis nothing = axis_linear(0, 5e-324, 5);
    ticks_are(&nothing, (const double[]){-1, -.5, 0, .5, 1}, 5);
    /* Doubles here are 16 apart. */
    const axis coarse = axis_linear(1e17, 1e17 + 16, 5);
    assert_in_range(coarse.n_ticks, 1, 5);
}

static void logarithmic_ticks_are_round_numbers(void **state) {
    (void)state;
    const axis fine = axis_logarithmic(.3, 30, 8);
    ticks_are(&fine, (const double[]){.5, 1, 2, 5, 10, 20}, 6);
    const axis threes = axis_logarithmic(.3, 3000, 10);
    ticks_are(&threes, (const double[]){.3, 1, 3, 10, 30, 100, 300, 1000, 3000}, 9);
    const axis decades = axis_logarithmic(.001, 1000, 8);
    ticks_are(&decades, (const double[]){.001, .01, .1, 1, 10, 100, 1000}, 7);
    const axis thousands = axis_logarithmic(1e-9, 1e9, 8);
    ticks_are(&thousands, (const double[]){1e-9, 1e-6, 1e-3, 1, 1e3, 1e6, 1e9}, 7);
}

static void check_any_axis(const axis *a, int most) {
    char last[AXIS_LABEL_SIZE] = "", label[AXIS_LABEL_SIZE];
    const double slack = 1e-8 * (a->to - a->from);
    assert_in_range(a->n_ticks, 1, most);
    for (int i = 0; i < a->n_ticks; i++) {
        assert_true(a->ticks[i] >= a->from - slack && a->ticks[i] <= a->to + slack);
        assert_true(i == 0 || a->ticks[i] > a->ticks[i - 1]);
        axis_label(a, i, label);
        assert_string_not_equal(label, last);
        strcpy(last, label);
    }
}

static void ticks_of_any_range(void **state) {
    (void)state;
    seed_random(7);
    for (int i = 0; i < 20000; i++) {
        const int most = random_int(3, AXIS_MOST_TICKS);
        const double from = 10 * random_normal() * pow(10, random_int(-6, 6));
        const double span = random_unit() * pow(10, random_int(-1, 6)) * (fabs(from) + 1e-5);
        const axis linear = axis_linear(from, from + span + fabs(from) * 1e-3, most);
        check_any_axis(&linear, most);
        for (int k = 2; k < linear.n_ticks; k++)
            assert_true(fabs(linear.ticks[k] - linear.ticks[k - 1] - linear.step) <
                        1e-6 * linear.step);
        const double low = exp(4 * random_normal());
        const axis logarithmic = axis_logarithmic(low, low * exp(2.4 + 20 * random_unit()), most);
        check_any_axis(&logarithmic, most);
    }
}

static void label_is(const axis *a, int i, const char *expected) {
    char label[AXIS_LABEL_SIZE];
    axis_label(a, i, label);
    assert_string_equal(label, expected);
}

static void labels_have_the_decimals_they_need(void **state) {
    (void)state;
    const axis tenths = axis_linear(0, 2, 5), iterations = axis_linear(0, 500200, 6);
    const axis hundreds = axis_linear(0, 9000, 10), fine = axis_linear(1.01, 1.03, 3);
    const axis millions = axis_linear(0, 2e6, 5), decades = axis_logarithmic(1e-3, 1e4, 8);
    label_is(&tenths, 0, "0");
    label_is(&tenths, 1, "0.5");
    label_is(&tenths, 2, "1.0");
    label_is(&iterations, 1, "100k");
    label_is(&hundreds, 9, "9000");
    label_is(&fine, 1, "1.02");
    label_is(&millions, 1, "0.5M");
    label_is(&decades, 0, "0.001");
    label_is(&decades, 7, "10k");
}

/* ---- Series ---- */

static history_row rows[ROWS];

/* Falls from 2 to 1, or by a factor of 1000 where logarithmic, both as a straight line. */
static history make_history(bool logarithmic) {
    for (int i = 0; i < ROWS; i++) {
        const double share = (double)i / (ROWS - 1);
        const double loss = logarithmic ? 1000 * pow(10, -3 * share) : 2 - share;
        rows[i] = (history_row){.iteration = (size_t)i + 1,
                                .stage = i < 600 ? GDRQ_STAGE_RESHAPE : GDRQ_STAGE_QUANTISE,
                                .loss = loss,
                                .average_loss = loss,
                                .rate = i < 800 ? .01 : .001,
                                .metric = NAN};
    }
    return (history){.rows = rows, .n = ROWS};
}

static void one_bad_batch_in_many_rows_is_seen(void **state) {
    enum { N = 200000 };
    history_row *many = calloc(N, sizeof *many);
    (void)state;
    for (size_t i = 0; i < N; i++)
        many[i] = (history_row){.iteration = i + 1, .loss = 1, .average_loss = 1};
    many[123456].loss = 5;
    many[123457].loss = NAN;
    const history h = {.rows = many, .n = N};
    axis x = chart_iterations(&h, N, 10), y = axis_linear(0, 5, 5);
    x.begin = y.end = 100;
    x.end = y.begin = 600;
    canvas_point *points = calloc((size_t)chart_most_points(&x), sizeof *points);
    const int n = chart_curve(&h, CHART_LOSS, &x, &y, points);
    assert_in_range(n, 500, chart_most_points(&x));
    int peaks = 0;
    for (int i = 0; i < n; i++) {
        assert_true(i == 0 || points[i].x >= points[i - 1].x);
        assert_true(points[i].y == 500 || points[i].y == 100);
        if (points[i].y == 100) {
            assert_float_equal(points[i].x, 100 + 500 * 123457. / N, .01);
            peaks++;
        }
    }
    assert_int_equal(peaks, 1);
    free(points);
    free(many);
}

static void x_axis_follows_the_training(void **state) {
    history h = make_history(false);
    (void)state;
    assert_true(chart_iterations(&h, 1000, 10).to == 1000);
    assert_true(chart_iterations(&h, 4000, 10).to == 4000);
    assert_true(chart_iterations(&h, 500200, 10).to == 2000);
    assert_true(chart_iterations(&h, 0, 10).to == 1000);
    h.n = 1;
    assert_true(chart_iterations(&h, 500200, 10).to == 10);
    h.n = 0;
    assert_true(chart_iterations(&h, 500, 10).to == 500);
    for (int i = 0; i < ROWS; i++)
        rows[i].iteration += 32000;
    h.n = ROWS;
    const axis later = chart_iterations(&h, 34000, 10);
    assert_true(later.from == 32000 && later.to == 34000);
}

static void losses_choose_their_scale(void **state) {
    history h = make_history(false);
    (void)state;
    assert_false(chart_losses(&h, 8).logarithmic);
    h = make_history(true);
    axis y = chart_losses(&h, 8);
    assert_true(y.logarithmic && y.from <= 1 && y.to >= 1000);
    /* A batch without loss does not press the rest together; a negative loss has no logarithm. */
    rows[500].loss = 1e-9;
    y = chart_losses(&h, 8);
    assert_true(y.logarithmic && y.from > .1);
    rows[500].loss = 0;
    assert_true(chart_losses(&h, 8).logarithmic);
    rows[500].loss = -1;
    y = chart_losses(&h, 8);
    assert_true(!y.logarithmic && y.from <= -1);
}

static void only_steps_of_the_rate_count(void **state) {
    history h = make_history(false);
    (void)state;
    for (size_t i = 0; i < h.n; i++)
        assert_int_equal(chart_rate_steps(&h, i), i == 800);
    for (size_t i = 0; i < h.n; i++)
        rows[i].rate = pow(1 - (double)i / ROWS, 4);
    for (size_t i = 0; i < h.n; i++)
        assert_false(chart_rate_steps(&h, i));
}

/* ---- Pictures ---- */

static bool has_colour(const picture *p, int x, int y, unsigned rgb) {
    const unsigned char *c = p->data + 3 * ((size_t)y * p->w + x);
    return (unsigned)(c[2] << 16 | c[1] << 8 | c[0]) == rgb;
}

/* The rectangle of the curves, from the axes' lines alone. */
typedef struct plot {
    int left, top, right, bottom;
} plot;

static plot find_plot(const picture *p) {
    plot found = {.left = p->w, .top = p->h};
    for (int x = 0; x < p->w; x++) {
        int n = 0, first = p->h, last = 0;
        for (int y = 0; y < p->h; y++)
            if (has_colour(p, x, y, FRAME)) {
                n++;
                first = y < first ? y : first;
                last = y;
            }
        if (n < p->h / 2)
            continue;
        found.left = x < found.left ? x : found.left;
        found.right = x;
        found.top = first < found.top ? first : found.top;
        found.bottom = last > found.bottom ? last : found.bottom;
    }
    assert_true(found.left < found.right && found.top < found.bottom);
    return found;
}

/* The mean row of pixels of that colour in the column at `share` of the width; they touch. */
static double curve_height(const picture *p, plot f, double share, unsigned rgb) {
    const int x = f.left + (int)lrint(share * (f.right - f.left));
    int n = 0, sum = 0, first = 0, last = 0;
    for (int y = f.top; y < f.bottom; y++)
        if (has_colour(p, x, y, rgb)) {
            first = n ? first : y;
            last = y;
            sum += y;
            n++;
        }
    assert_true(n > 0);
    assert_in_range(last - first, 0, 12);
    return (double)sum / n;
}

static void draw(const history *h, picture *p) {
    gdrq_error err;
    const gdrq_status status = chart_draw(h, &options, p, &err);
    if (status != GDRQ_OK)
        fail_msg("%s", err.message);
}

static void average_falls_in_a_straight_line(void **state) {
    (void)state;
    for (int logarithmic = 0; logarithmic < 2; logarithmic++) {
        history h = make_history(logarithmic);
        h.metric_name = (char[]){"mAP"};
        picture p;
        draw(&h, &p);
        const plot f = find_plot(&p);
        const double a = curve_height(&p, f, .1, AVERAGE), b = curve_height(&p, f, .5, AVERAGE);
        const double c = curve_height(&p, f, .9, AVERAGE), height = f.bottom - f.top;
        assert_true(c > a + height / 2); /* it uses the plot's height */
        assert_float_equal(b, (a + c) / 2, 1.5);
        picture_free(&p);
    }
}

static void metric_stands_where_its_axis_says(void **state) {
    history h = make_history(false);
    (void)state;
    h.metric_name = (char[]){"mAP@0.50"};
    for (int i = 0; i < ROWS; i++) {
        rows[i].loss = rows[i].average_loss = 1e9; /* out of the way: constant */
        if (i % 200 == 99)
            rows[i].metric = .2;
    }
    rows[899].metric = .75;
    picture p;
    draw(&h, &p);
    const plot f = find_plot(&p);
    const double height = f.bottom - f.top;
    assert_float_equal(curve_height(&p, f, .1, METRIC), f.bottom - .2 * height, 2);
    assert_float_equal(curve_height(&p, f, .2, METRIC), f.bottom - .2 * height, 2);
    assert_float_equal(curve_height(&p, f, .8, METRIC), f.bottom - .475 * height, 3);
    assert_float_equal(curve_height(&p, f, .9, METRIC), f.bottom - .75 * height, 3);
    picture_free(&p);
}

static int count_in_column(const picture *p, plot f, int x, unsigned rgb) {
    int n = 0;
    for (int y = f.top; y < f.bottom; y++)
        n += has_colour(p, x, y, rgb);
    return n;
}

static void change_of_stage_is_marked(void **state) {
    history h = make_history(false);
    (void)state;
    h.metric_name = (char[]){"mAP"};
    picture p;
    draw(&h, &p);
    const plot f = find_plot(&p);
    const int x = f.left + (int)(.6005 * (f.right - f.left));
    int found = 0, elsewhere = 0;
    for (int i = f.left; i < f.right; i++) {
        const int n = count_in_column(&p, f, i, EVENT);
        if (abs(i - x) <= 1)
            found += n;
        else
            elsewhere += n;
    }
    assert_in_range(found, (f.bottom - f.top) / 3, f.bottom - f.top - 1);
    assert_int_equal(elsewhere, 0);
    picture_free(&p);
}

static void values_that_are_not_finite_are_left_out(void **state) {
    history h = make_history(true);
    picture with, without;
    size_t n = 0;
    (void)state;
    for (size_t i = 400; i < 500; i++) {
        rows[i].loss = i % 2 ? NAN : INFINITY;
        rows[i].average_loss = i % 2 ? -INFINITY : NAN;
    }
    draw(&h, &with);
    for (size_t i = 0; i < ROWS; i++)
        if (isfinite(rows[i].loss))
            rows[n++] = rows[i];
    h.n = n;
    assert_int_equal(n, ROWS - 100);
    draw(&h, &without);
    assert_memory_equal(with.data, without.data, (size_t)3 * with.w * with.h);
    picture_free(&with);
    picture_free(&without);
}

static void few_rows_and_sizes_will_do(void **state) {
    static const int sizes[][2] = {{320, 240}, {0, 0}, {320, 900}, {2000, 240}, {1601, 1003}};
    const char *const titles[] = {
        "", "-", "a", "a-very-long-title-that-has-no-room-anywhere-at-all", "\xc3\xa4\xff-x"};
    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (int i = 0; i < 5; i++) {
            history h = make_history(n % 2);
            picture p;
            h.n = n;
            h.metric_name = i % 2 ? (char[]){"top-1"} : NULL;
            rows[0].metric = i / 2 ? .5 : NAN;
            const chart_options o = {titles[i], (size_t)(3 * i), sizes[i][0], sizes[i][1]};
            assert_int_equal(chart_draw(&h, &o, &p, NULL), GDRQ_OK);
            assert_int_equal(p.w, sizes[i][0] ? sizes[i][0] : 1000);
            assert_int_equal(p.h, sizes[i][1] ? sizes[i][1] : 700);
            picture_free(&p);
        }
}

static void chart_of_numbers_without_end(void **state) {
    history h = make_history(false);
    (void)state;
    h.metric_name = (char[]){"x"};
    for (size_t i = 0; i < h.n; i++) {
        rows[i].loss = rows[i].average_loss = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
        rows[i].metric = rows[i].rate = rows[i].epoch = rows[i].seconds = i % 2 ? INFINITY : NAN;
    }
    picture p;
    draw(&h, &p);
    picture_free(&p);
    for (size_t i = 0; i < h.n; i++)
        rows[i].loss = rows[i].average_loss = i % 2 ? 1e308 : -1e308;
    draw(&h, &p);
    picture_free(&p);
    for (size_t i = 0; i < h.n; i++)
        rows[i].loss = rows[i].average_loss = i % 2 ? 1e308 : 5e-324;
    draw(&h, &p);
    picture_free(&p);
}

static void saves_a_file_or_says_why_not(void **state) {
    const history h = make_history(true);
    char path[] = "/tmp/gdrq-test-chart-XXXXXX.png";
    gdrq_error err;
    picture p;
    (void)state;
    const int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    close(fd);
    const chart_options o = {"test", ROWS, 640, 480};
    assert_int_equal(chart_save(&h, &o, path, NULL), GDRQ_OK);
    assert_int_equal(picture_load(path, &p, NULL), GDRQ_OK);
    assert_true(p.w == 640 && p.h == 480);
    picture_free(&p);
    unlink(path);
    assert_int_equal(chart_save(&h, &o, "/nowhere/a.png", &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "/nowhere/a.png"));
    const chart_options small = {"test", ROWS, 100, 480};
    assert_int_equal(chart_draw(&h, &small, &p, &err), GDRQ_ERROR_ARGUMENT);
    assert_null(p.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_ticks_are_round_numbers),
        cmocka_unit_test(logarithmic_ticks_are_round_numbers),
        cmocka_unit_test(ticks_of_any_range),
        cmocka_unit_test(labels_have_the_decimals_they_need),
        cmocka_unit_test(one_bad_batch_in_many_rows_is_seen),
        cmocka_unit_test(x_axis_follows_the_training),
        cmocka_unit_test(losses_choose_their_scale),
        cmocka_unit_test(only_steps_of_the_rate_count),
        cmocka_unit_test(average_falls_in_a_straight_line),
        cmocka_unit_test(metric_stands_where_its_axis_says),
        cmocka_unit_test(change_of_stage_is_marked),
        cmocka_unit_test(values_that_are_not_finite_are_left_out),
        cmocka_unit_test(few_rows_and_sizes_will_do),
        cmocka_unit_test(chart_of_numbers_without_end),
        cmocka_unit_test(saves_a_file_or_says_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
