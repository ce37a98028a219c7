/* The training samples: boxes that follow their picture, repeatable numbers, clear failures. */
#include "cmocka_all.h"

#include "train/detection_samples.h"
#include "train/picture_cache.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { W = 160, H = 120, NET_W = 96, NET_H = 64, SAMPLES = 40, BOXES = 4 };

static char folder[64];
static char path_text[2][128];
static char *const paths[2] = {path_text[0], path_text[1]};

/* Two black pictures, each with one bright square that its box fits exactly. */
static const augment_box squares[2] = {
    {0, 40.f / W, 60.f / H, 40.f / W, 40.f / H},
    {2, 110.f / W, 30.f / H, 60.f / W, 40.f / H},
};
static const detection_boxes labels[2] = {{&squares[0], 1}, {&squares[1], 1}};

static void paint(picture *p, const augment_box *b) {
    const int left = (int)lrintf((b->x - b->w / 2) * W), right = (int)lrintf((b->x + b->w / 2) * W);
    const int top = (int)lrintf((b->y - b->h / 2) * H), bottom = (int)lrintf((b->y + b->h / 2) * H);
    for (int y = top; y < bottom; y++)
        memset(p->data + 3 * ((size_t)y * W + left), 255, 3 * (size_t)(right - left));
}

static int make_pictures(void **state) {
    const unsigned char black[3] = {0, 0, 0};
    (void)state;
    strcpy(folder, "/tmp/gdrq-test-loader-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    for (int i = 0; i < 2; i++) {
        picture p;
        snprintf(paths[i], sizeof path_text[i], "%s/%d.png", folder, i);
        if (picture_make(W, H, black, &p, NULL) != GDRQ_OK)
            return 1;
        paint(&p, &squares[i]);
        const gdrq_status saved = picture_save(&p, paths[i], NULL);
        picture_free(&p);
        if (saved != GDRQ_OK)
            return 1;
    }
    return 0;
}

static int remove_pictures(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++)
        unlink(paths[i]);
    return rmdir(folder);
}

static loader_options options_with(int threads, uint64_t seed) {
    static const detection_samples samples = {labels, {.4f, .1f, 1.5f, 1.5f}, BOXES};
    return (loader_options){.paths = paths,
                            .n_images = 2,
                            .make = detection_sample,
                            .user = &samples,
                            .truths = 5 * BOXES,
                            .seed = seed,
                            .threads = threads,
                            .cache_bytes = 1 << 20};
}

/* The smallest rectangle, in pixels, around codes that are brighter than the ground. */
static bool bright_area(const unsigned char *codes, int *left, int *top, int *right, int *bottom) {
    *left = *top = 1 << 20;
    *right = *bottom = -1;
    for (int y = 0; y < NET_H; y++)
        for (int x = 0; x < NET_W; x++)
            if (codes[y * NET_W + x] > 160) {
                *left = x < *left ? x : *left;
                *right = x + 1 > *right ? x + 1 : *right;
                *top = y < *top ? y : *top;
                *bottom = y + 1 > *bottom ? y + 1 : *bottom;
            }
    return *right >= 0;
}

/* Half of a transition between black and white may be above the threshold or not. */
static void box_surrounds_square(const unsigned char *codes, const float *truth) {
    int left, top, right, bottom;
    assert_true(bright_area(codes, &left, &top, &right, &bottom));
    assert_float_equal((truth[0] - truth[2] / 2) * NET_W, left, 1.6);
    assert_float_equal((truth[0] + truth[2] / 2) * NET_W, right, 1.6);
    assert_float_equal((truth[1] - truth[3] / 2) * NET_H, top, 1.6);
    assert_float_equal((truth[1] + truth[3] / 2) * NET_H, bottom, 1.6);
}

static void boxes_follow_the_picture(void **state) {
    loader *l;
    const loader_batch *batch;
    loader_options options = options_with(2, 11);
    /* Exposure could dim the square to the ground's level. */
    const detection_samples samples = {labels, {.4f, .1f, 1.5f, 1}, BOXES};
    options.user = &samples;
    int seen[3] = {0};
    (void)state;
    assert_int_equal(loader_open(&options, &l, NULL), GDRQ_OK);
    assert_int_equal(loader_request(l, 0, SAMPLES, NET_W, NET_H, NULL), GDRQ_OK);
    assert_int_equal(loader_take(l, &batch, NULL), GDRQ_OK);
    assert_int_equal(batch->n, SAMPLES);
    for (int i = 0; i < SAMPLES; i++) {
        const float *truth = batch->truth + 5 * BOXES * i;
        box_surrounds_square(batch->codes + 3 * NET_W * NET_H * i, truth);
        assert_true(truth[4] == 0 || truth[4] == 2);
        seen[(int)truth[4]]++;
        for (int k = 5; k < 5 * BOXES; k++)
            assert_true(truth[k] == 0);
    }
    assert_true(seen[0] > 0 && seen[2] > 0);
    loader_close(l);
}

/* Samples first..first+n-1, with their truth behind the codes. */
static unsigned char *samples(int threads, uint64_t seed, uint64_t first, int n, size_t *bytes) {
    loader *l;
    const loader_batch *batch;
    const loader_options options = options_with(threads, seed);
    const size_t code_bytes = (size_t)3 * NET_W * NET_H * n;
    const size_t truth_bytes = (size_t)5 * BOXES * n * sizeof(float);
    unsigned char *copy = malloc(code_bytes + truth_bytes);
    assert_int_equal(loader_open(&options, &l, NULL), GDRQ_OK);
    assert_int_equal(loader_request(l, first, n, NET_W, NET_H, NULL), GDRQ_OK);
    assert_int_equal(loader_take(l, &batch, NULL), GDRQ_OK);
    memcpy(copy, batch->codes, code_bytes);
    memcpy(copy + code_bytes, batch->truth, truth_bytes);
    loader_close(l);
    *bytes = code_bytes + truth_bytes;
    return copy;
}

static void samples_depend_on_seed_and_number_alone(void **state) {
    size_t n;
    unsigned char *one = samples(1, 5, 100, 12, &n), *four = samples(4, 5, 100, 12, &n);
    unsigned char *other_seed = samples(1, 6, 100, 12, &n), *later = samples(1, 5, 106, 12, &n);
    (void)state;
    assert_memory_equal(one, four, n);
    assert_memory_not_equal(one, other_seed, n);
    assert_memory_equal(one + (size_t)3 * NET_W * NET_H * 6, later, (size_t)3 * NET_W * NET_H * 6);
    free(one);
    free(four);
    free(other_seed);
    free(later);
}

static void next_batch_leaves_the_last_one_alone(void **state) {
    loader *l;
    const loader_batch *first, *second;
    const loader_options options = options_with(2, 3);
    const size_t bytes = (size_t)3 * NET_W * NET_H * 4;
    unsigned char *copy = malloc(bytes);
    (void)state;
    assert_int_equal(loader_open(&options, &l, NULL), GDRQ_OK);
    assert_int_equal(loader_request(l, 0, 4, NET_W, NET_H, NULL), GDRQ_OK);
    assert_int_equal(loader_take(l, &first, NULL), GDRQ_OK);
    memcpy(copy, first->codes, bytes);
    assert_int_equal(loader_request(l, 4, 6, 2 * NET_W, NET_H, NULL), GDRQ_OK);
    assert_int_equal(loader_take(l, &second, NULL), GDRQ_OK);
    assert_int_equal(second->n, 6);
    assert_int_equal(second->w, 2 * NET_W);
    assert_memory_equal(first->codes, copy, bytes);
    loader_close(l);
    free(copy);
}

static void unreadable_image_is_named(void **state) {
    char missing[160];
    snprintf(missing, sizeof missing, "%s/missing.png", folder);
    char *const one[] = {missing};
    loader_options options = options_with(2, 1);
    loader *l;
    const loader_batch *batch;
    gdrq_error err;
    (void)state;
    options.paths = one;
    options.n_images = 1;
    assert_int_equal(loader_open(&options, &l, &err), GDRQ_OK);
    assert_int_equal(loader_request(l, 0, 8, NET_W, NET_H, &err), GDRQ_OK);
    assert_int_equal(loader_take(l, &batch, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, missing));
    loader_close(l);
}

/* The boxes' order is random, so look for the one of the class. */
static const float *truth_of(const float *truth, int n, int id) {
    for (int i = 0; i < n; i++)
        if ((int)truth[5 * i + 4] == id)
            return truth + 5 * i;
    return NULL;
}

static void boxes_are_clipped_and_dropped(void **state) {
    /* The picture's left half lies outside: 200 wide from -100 on an input of 100 x 100. */
    const augment_plan plan = {.net_w = 100, .net_h = 100, .x = -100, .w = 200, .h = 100};
    augment_box boxes[] = {
        {0, .5f, .5f, .5f, .5f},    /* half outside */
        {1, .25f, .5f, .2f, .2f},   /* outside */
        {2, .75f, .5f, .0004f, .2f} /* thinner than a thousandth */
    };
    float truth[5 * 3] = {0};
    random_stream random = random_start(1, 1);
    (void)state;
    assert_int_equal(augment_boxes(&plan, &random, boxes, 3, 3, truth), 1);
    const float *box = truth_of(truth, 1, 0);
    assert_non_null(box);
    assert_float_equal(box[0], .25f, 1e-6);
    assert_float_equal(box[1], .5f, 1e-6);
    assert_float_equal(box[2], .5f, 1e-6);
    assert_float_equal(box[3], .5f, 1e-6);
}

static void no_more_boxes_than_allowed(void **state) {
    const augment_plan plan = {.net_w = 10, .net_h = 10, .w = 10, .h = 10};
    augment_box boxes[20];
    float truth[5 * 20] = {0};
    bool first_missing = false;
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (int i = 0; i < 20; i++)
            boxes[i] = (augment_box){i, .5f, .5f, .1f, .1f};
        random_stream random = random_start(seed, 0);
        assert_int_equal(augment_boxes(&plan, &random, boxes, 20, 7, truth), 7);
        first_missing |= !truth_of(truth, 7, 0);
    }
    assert_true(first_missing); /* which ones are kept is random */
}

/* HSV by the book, in double precision, to compare one pixel's change with. */
static void hsv_change(const double rgb[3], const augment_plan *plan, double out[3]) {
    const double most = fmax(rgb[0], fmax(rgb[1], rgb[2]));
    const double d = most - fmin(rgb[0], fmin(rgb[1], rgb[2]));
    double h = 0;
    if (d > 0)
        h = rgb[0] == most   ? (rgb[1] - rgb[2]) / d
            : rgb[1] == most ? 2 + (rgb[2] - rgb[0]) / d
                             : 4 + (rgb[0] - rgb[1]) / d;
    h = fmod(h + 6 + 6 * (double)plan->hue, 6);
    const double s = (most > 0 ? d / most : 0) * plan->saturation, v = most * plan->value;
    const int sector = (int)h;
    const double f = h - sector, p = v * (1 - s), q = v * (1 - s * f), t = v * (1 - s * (1 - f));
    const double by_sector[6][3] = {{v, t, p}, {q, v, p}, {p, v, t},
                                    {p, q, v}, {t, p, v}, {v, p, q}};
    for (int c = 0; c < 3; c++)
        out[c] = fmin(fmax(by_sector[sector][c], 0), 255);
}

/* Of an odd width: whole vectors and a rest. */
static void colours_change_as_in_hsv(void **state) {
    enum { COLUMNS = 45, ROWS = 3, PIXELS = COLUMNS * ROWS };
    random_stream random = random_start(42, 0);
    (void)state;
    for (int i = 0; i < 40; i++) {
        unsigned char codes[3 * PIXELS];
        picture p;
        assert_int_equal(picture_make(COLUMNS, ROWS, (unsigned char[3]){0}, &p, NULL), GDRQ_OK);
        for (int k = 0; k < 3 * PIXELS; k++)
            p.data[k] = (unsigned char)random_below(&random, 256);
        const augment_plan plan = {.net_w = COLUMNS,
                                   .net_h = ROWS,
                                   .w = COLUMNS,
                                   .h = ROWS,
                                   .mirrored = i % 2,
                                   .hue = random_uniform(&random, 0, 1),
                                   .saturation = random_uniform(&random, .5f, 2),
                                   .value = random_uniform(&random, .5f, 2)};
        assert_int_equal(augment_picture(&plan, &p, codes, NULL), GDRQ_OK);
        for (int k = 0; k < PIXELS; k++) {
            const int x = k % COLUMNS;
            const unsigned char *bgr = p.data + 3 * (plan.mirrored ? k - x + COLUMNS - 1 - x : k);
            const double rgb[3] = {bgr[2], bgr[1], bgr[0]};
            double expected[3];
            hsv_change(rgb, &plan, expected);
            for (int c = 0; c < 3; c++)
                assert_float_equal(codes[c * PIXELS + k], expected[c], .51);
        }
        picture_free(&p);
    }
}

/* No chroma, so no hue: whatever the plan does to hue and saturation, grey stays grey. */
static void grey_stays_grey(void **state) {
    enum { GREYS = 256 };
    const augment_plan plan = {.net_w = GREYS,
                               .net_h = 1,
                               .w = GREYS,
                               .h = 1,
                               .hue = .3f,
                               .saturation = 1.5f,
                               .value = .5f};
    unsigned char codes[3 * GREYS];
    picture p;
    (void)state;
    assert_int_equal(picture_make(GREYS, 1, (unsigned char[3]){0}, &p, NULL), GDRQ_OK);
    for (int i = 0; i < GREYS; i++)
        memset(p.data + 3 * i, i, 3);
    assert_int_equal(augment_picture(&plan, &p, codes, NULL), GDRQ_OK);
    for (int i = 0; i < 3 * GREYS; i++)
        assert_int_equal(codes[i], (i % GREYS + 1) / 2);
    picture_free(&p);
}

static void cache_keeps_what_fits(void **state) {
    const size_t one_picture = (size_t)3 * W * H;
    picture_cache *cache;
    picture a, again, b;
    (void)state;
    assert_int_equal(picture_cache_make(2, one_picture, &cache, NULL), GDRQ_OK);
    assert_int_equal(picture_cache_get(cache, 0, paths[0], &a, NULL), GDRQ_OK);
    assert_int_equal(picture_cache_get(cache, 0, "not read again", &again, NULL), GDRQ_OK);
    assert_ptr_equal(a.data, again.data);
    picture_cache_release(cache, 0, &a);
    picture_cache_release(cache, 0, &again);
    assert_int_equal(picture_cache_get(cache, 1, paths[1], &b, NULL), GDRQ_OK);
    picture_cache_release(cache, 1, &b);
    assert_int_equal(picture_cache_get(cache, 1, "has to be read", &b, NULL), GDRQ_ERROR_IO);
    picture_cache_release(cache, 1, &b);
    picture_cache_free(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_follow_the_picture),
        cmocka_unit_test(samples_depend_on_seed_and_number_alone),
        cmocka_unit_test(next_batch_leaves_the_last_one_alone),
        cmocka_unit_test(unreadable_image_is_named),
        cmocka_unit_test(boxes_are_clipped_and_dropped),
        cmocka_unit_test(no_more_boxes_than_allowed),
        cmocka_unit_test(colours_change_as_in_hsv),
        cmocka_unit_test(grey_stays_grey),
        cmocka_unit_test(cache_keeps_what_fits),
    };
    return cmocka_run_group_tests(tests, make_pictures, remove_pictures);
}
