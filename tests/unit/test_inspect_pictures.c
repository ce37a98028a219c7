/* Pictures of an inspection: each series in its place, with its own bars. */
#include "cmocka_all.h"

#include "inspect/histogram.h"
#include "inspect/layer_sheet.h"
#include "inspect/overview.h"
#include "quant/distribution.h"
#include "quant/quantise.h"
#include "temporary_folder.h"

#include <math.h>

enum { WEIGHT_LEVELS = 7, INPUT_LEVELS = 8, SERIES = 4, LOSSES_HEIGHT = 246 };

/* Of 3 bits; one code occurs more than twice as often as each of the others. */
static gdrq_distribution with_most_at(const gdrq_grid *grid, int most) {
    float x[32], codes[32];
    size_t n = 0;
    for (int c = grid->min; c <= grid->max; c++)
        for (int k = 0; k < (c == most ? 5 : 2); k++)
            x[n++] = (float)c * grid->step;
    gdrq_distribution d;
    gdrq_quantise(x, n, grid, true, codes);
    gdrq_distribution_start(&d, grid->min, grid->max);
    assert_true(gdrq_distribution_add(&d, x, codes, n, grid));
    return d;
}

static gdrq_distribution weights(int most) {
    const gdrq_grid grid = gdrq_weight_grid(3, 3.f);
    return with_most_at(&grid, most);
}

static gdrq_distribution inputs(int most) {
    const gdrq_grid grid = gdrq_activation_grid(3, GDRQ_RANGE_UNSIGNED, 0, 7.f);
    return with_most_at(&grid, most);
}

static gdrq_distribution input, input_before;
static inspected_layer only;
static network no_network;

/* Losses of 10 to 40 %. */
static void set_loss(gdrq_distribution *d, double loss) {
    d->squares = 1;
    d->lost = loss * loss;
}

/* One layer, whose most frequent codes are -2 and 1 of the weights, and 2 and 5 of the input. */
static inspection example(void) {
    input_before = inputs(2);
    input = inputs(5);
    only = (inspected_layer){.quantisation = {.layer = 3,
                                              .weight_bits = 3,
                                              .groups = 1,
                                              .input_bits = 3,
                                              .input_range = "unsigned",
                                              .input_threshold = 7},
                             .shape = "3x3, 2 to 4",
                             .threshold = {3, 3, 3},
                             .threshold_before = {3, 3, 3},
                             .weights = weights(1),
                             .before = weights(-2),
                             .input = &input,
                             .input_before = &input_before,
                             .input_threshold_before = 7};
    set_loss(&only.before, .1);
    set_loss(&only.weights, .2);
    set_loss(&input_before, .3);
    set_loss(&input, .4);
    return (inspection){.cfg = "a.cfg",
                        .weights = "a.weights",
                        .before = "b.weights",
                        .images = "photos",
                        .layers = &only,
                        .n = 1,
                        .inputs = &input,
                        .inputs_before = &input_before,
                        .pictures = 2,
                        .net = &no_network};
}

static inspection without_before(void) {
    inspection in = example();
    in.before = NULL;
    in.inputs_before = NULL;
    only.before = (gdrq_distribution){0};
    only.input_before = NULL;
    return in;
}

static picture load(const char *path) {
    picture p;
    gdrq_error err;
    if (picture_load(path, &p, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    return p;
}

static picture sheet(const inspection *in) {
    gdrq_error err;
    assert_int_equal(layer_sheet_save(in, &in->layers[0], "sheet.png", &err), GDRQ_OK);
    return load("sheet.png");
}

static picture overview(const inspection *in) {
    gdrq_error err;
    assert_int_equal(overview_save(in, "overview.png", &err), GDRQ_OK);
    return load("overview.png");
}

static bool has_colour(const picture *p, int x, int y, unsigned rgb) {
    const unsigned char *c = p->data + 3 * ((size_t)y * (size_t)p->w + (size_t)x);
    return ((unsigned)c[2] << 16 | (unsigned)c[1] << 8 | c[0]) == rgb;
}

static int count_in_column(const picture *p, int x, int top, int bottom, unsigned rgb) {
    int n = 0;
    for (int y = top; y < bottom; y++)
        n += has_colour(p, x, y, rgb);
    return n;
}

/* ---- bars of codes ---- */

/* The part of a picture that is looked at. */
typedef struct part {
    int left, top, right, bottom;
} part;

/* Bars of codes side by side, and which of them, from 0 on, is the highest. */
typedef struct bars {
    int n, highest;
} bars;

static bool row_has_codes(const picture *p, const part *of, int y) {
    for (int x = of->left; x < of->right; x++)
        if (has_colour(p, x, y, HISTOGRAM_CODES))
            return true;
    return false;
}

/* The next rows from of->top on that have codes; false if there are none. */
static bool next_rows(const picture *p, const part *of, part *rows) {
    *rows = *of;
    while (rows->top < of->bottom && !row_has_codes(p, of, rows->top))
        rows->top++;
    rows->bottom = rows->top;
    while (rows->bottom < of->bottom && row_has_codes(p, of, rows->bottom))
        rows->bottom++;
    return rows->top < of->bottom;
}

/* A line of T through a bar does not make two of it. */
static bars bars_in(const picture *p, const part *rows) {
    bars found = {0};
    int last = -10, highest = 0;
    for (int x = rows->left; x < rows->right; x++) {
        const int height = count_in_column(p, x, rows->top, rows->bottom, HISTOGRAM_CODES);
        if (height == 0)
            continue;
        found.n += x - last > 2;
        last = x;
        if (height > highest) {
            highest = height;
            found.highest = found.n - 1;
        }
    }
    return found;
}

/* From the top down; what is not high is an entry of the legend. */
static int find_bars(const picture *p, part of, bars *found) {
    int n = 0;
    for (part rows; next_rows(p, &of, &rows); of.top = rows.bottom)
        if (rows.bottom - rows.top > 20) {
            assert_true(n < SERIES);
            found[n++] = bars_in(p, &rows);
        }
    return n;
}

/* Codes are on the right of a sheet, and in the first of an overview's columns. */
static part codes_of_sheet(const picture *p) {
    return (part){p->w / 2, 0, p->w, p->h};
}

static part cell_of_overview(const picture *p) {
    return (part){0, 0, p->w / 3, p->h - LOSSES_HEIGHT};
}

static void assert_bars(const picture *p, part of, const bars *expected, int n) {
    bars found[SERIES];
    assert_int_equal(find_bars(p, of, found), n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(found[i].n, expected[i].n);
        assert_int_equal(found[i].highest, expected[i].highest);
    }
}

static const bars all_bars[SERIES] = {
    {WEIGHT_LEVELS, 3 - 2}, {WEIGHT_LEVELS, 3 + 1}, {INPUT_LEVELS, 2}, {INPUT_LEVELS, 5}};
static const bars bars_without_before[] = {{WEIGHT_LEVELS, 3 + 1}, {INPUT_LEVELS, 5}};

static void rows_of_a_sheet_are_what_they_are_called(void **state) {
    (void)state;
    inspection in = example();
    picture p = sheet(&in);
    assert_bars(&p, codes_of_sheet(&p), all_bars, SERIES);
    picture_free(&p);
    in = without_before();
    p = sheet(&in);
    assert_bars(&p, codes_of_sheet(&p), bars_without_before, 2);
    picture_free(&p);
}

static void cells_of_an_overview_have_the_series_in_order(void **state) {
    (void)state;
    inspection in = example();
    picture p = overview(&in);
    assert_bars(&p, cell_of_overview(&p), all_bars, SERIES);
    picture_free(&p);
    in = without_before();
    p = overview(&in);
    assert_bars(&p, cell_of_overview(&p), bars_without_before, 2);
    picture_free(&p);
}

/* ---- losses ---- */

static const unsigned loss_colours[SERIES] = {HISTOGRAM_BEFORE, HISTOGRAM_CODES,
                                              HISTOGRAM_INPUT_BEFORE, HISTOGRAM_INPUT};

/* The height of the bar of that colour, and in *left where it begins. */
static int loss_bar(const picture *p, unsigned colour, int *left) {
    int height = 0;
    for (int x = p->w - 1; x >= 0; x--) {
        const int n = count_in_column(p, x, p->h - LOSSES_HEIGHT, p->h, colour);
        if (n >= height && n > 0) {
            height = n;
            *left = x;
        }
    }
    return height;
}

static void losses_are_bars_of_their_series(void **state) {
    (void)state;
    const inspection in = example();
    picture p = overview(&in);
    int left = 0, before = 0;
    const int full = loss_bar(&p, loss_colours[SERIES - 1], &left);
    assert_true(full > 100);
    for (int s = 0; s < SERIES; s++) {
        const int height = loss_bar(&p, loss_colours[s], &left);
        assert_true(fabs(height - full * (s + 1) / 4.) <= 1.5);
        assert_true(left > before);
        before = left;
    }
    picture_free(&p);
}

/* ---- thresholds ---- */

/* The first and the last row in which two pictures differ; false if they don't. */
static bool differ(const picture *a, const picture *b, int *first, int *last) {
    assert_int_equal(a->w, b->w);
    assert_int_equal(a->h, b->h);
    *first = -1;
    const size_t row = 3 * (size_t)a->w;
    for (int y = 0; y < a->h; y++)
        if (memcmp(a->data + (size_t)y * row, b->data + (size_t)y * row, row) != 0) {
            *first = *first < 0 ? y : *first;
            *last = y;
        }
    return *first >= 0;
}

/* By how much of a sheet's height the word of the cfg's rule reaches down. */
static double last_change_by_rule(const char *range) {
    inspection in = example();
    only.quantisation.input_range = range;
    picture by_file = sheet(&in);
    in.rule_before = true;
    picture by_rule = sheet(&in);
    int first, last = 0;
    assert_true(differ(&by_file, &by_rule, &first, &last));
    assert_true(first < 84); /* the line of files */
    const double share = (double)last / by_file.h;
    picture_free(&by_file);
    picture_free(&by_rule);
    return share;
}

/* In the third of four rows, and not where T is known: that of pixels. */
static void a_sheet_says_that_a_threshold_is_by_the_cfgs_rule(void **state) {
    (void)state;
    const double last = last_change_by_rule("unsigned");
    assert_true(last > .5 && last < .6);
    assert_true(last_change_by_rule("pixels") < .1);
    inspection in = example();
    picture by_file = overview(&in);
    in.rule_before = true;
    picture by_rule = overview(&in);
    int first_row, last_row;
    assert_true(differ(&by_file, &by_rule, &first_row, &last_row));
    picture_free(&by_file);
    picture_free(&by_rule);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_a_sheet_are_what_they_are_called),
        cmocka_unit_test(cells_of_an_overview_have_the_series_in_order),
        cmocka_unit_test(losses_are_bars_of_their_series),
        cmocka_unit_test(a_sheet_says_that_a_threshold_is_by_the_cfgs_rule),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
