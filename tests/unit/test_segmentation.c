/*
 * What segmentation trains on and is measured by: pictures and masks that stay together, the
 * confusion matrix and mean IoU, overlays.
 */
#include "temporary_folder.h"

#include "data/palette.h"
#include "eval/confusion.h"
#include "eval/output_difference.h"
#include "image/overlay.h"
#include "results/confusion_table.h"
#include "train/segmentation_set.h"

#include <math.h>
#include <sys/stat.h>

/* ---- samples ---- */

enum { W = 90, H = 60, NET_W = 48, NET_H = 40, CLASSES = 5, CELL = 15, VOID_CELL = 5 };

/* Colours far from each other and from the ground; the last is void's. */
static const unsigned char colours[CLASSES + 1][3] = {
    {250, 10, 10}, {10, 250, 10}, {10, 10, 250}, {250, 250, 10}, {10, 250, 250}, {250, 10, 250}};

/* Cells of CELL x CELL pixels, in no order that a mirror image or a shift would keep. */
static int class_of_cell(int x, int y) {
    return (x / CELL * 5 + y / CELL * 7 + x / CELL * (y / CELL)) % (CLASSES + 1);
}

static void write_sample_files(void) {
    const palette black = {.n = 256};
    index_picture mask;
    mkdir("images", 0777);
    mkdir("masks", 0777);
    write_text("images/s.png", ""); /* it is given to the loader's function decoded */
    assert_int_equal(index_picture_make(W, H, &mask, NULL), GDRQ_OK);
    for (int i = 0; i < W * H; i++) {
        const int class_id = class_of_cell(i % W, i / W);
        mask.at[i] = class_id == VOID_CELL ? 77 : (unsigned char)class_id;
    }
    assert_int_equal(index_png_save(&mask, &black, "masks/s.png", NULL), GDRQ_OK);
    index_picture_free(&mask);
}

static picture draw_cells(void) {
    picture p;
    assert_int_equal(picture_make(W, H, colours[0], &p, NULL), GDRQ_OK);
    for (int i = 0; i < W * H; i++)
        memcpy(p.data + 3 * i, colours[class_of_cell(i % W, i / W)], 3);
    return p;
}

/* -1: grey ground or a blend of cells. */
static int class_of_colour(const unsigned char *codes, int i) {
    const int plane = NET_W * NET_H;
    for (int k = 0; k <= CLASSES; k++)
        if (abs(codes[i] - colours[k][2]) < 20 && abs(codes[plane + i] - colours[k][1]) < 20 &&
            abs(codes[2 * plane + i] - colours[k][0]) < 20)
            return k;
    return -1;
}

typedef struct tally {
    int clear, void_pixels, ground, mirrored;
} tally;

/* Pixels of one colour have its class; void's, and what lies outside, -1. */
static void check_sample(const unsigned char *codes, const float *truth, tally *t) {
    for (int i = 0; i < NET_W * NET_H; i++) {
        const int seen = class_of_colour(codes, i);
        const bool grey = codes[i] == 128 && codes[NET_W * NET_H + i] == 128;
        if (grey)
            assert_true(truth[i] == -1);
        t->ground += grey;
        if (seen < 0)
            continue;
        t->clear++;
        t->void_pixels += seen == VOID_CELL;
        if (truth[i] != (seen == VOID_CELL ? -1 : (float)seen))
            fail_msg("pixel (%d, %d): class %g under the colour of %d", i % NET_W, i / NET_W,
                     (double)truth[i], seen);
    }
}

static void pictures_and_masks_stay_together(void **state) {
    char *paths[] = {"images/s.png"};
    segmentation_set set = {.images = {.paths = paths, .n = 1},
                            .rules = {.classes = CLASSES, .void_index = 77, .background = -1},
                            .augment = {20, 1.3f, .5f, 2, false, 0, 1, 1},
                            .w = NET_W,
                            .h = NET_H};
    static unsigned char codes[3 * NET_W * NET_H], again[3 * NET_W * NET_H];
    static float truth[NET_W * NET_H], same[NET_W * NET_H];
    tally t = {0};
    (void)state;
    write_sample_files();
    picture p = draw_cells();
    for (uint64_t i = 0; i < 60; i++) {
        random_stream random = random_start(11, i);
        const loader_sample sample = {NET_W, NET_H, codes, truth},
                            other = {NET_W, NET_H, again, same};
        assert_int_equal(segmentation_sample(&set, &random, 0, &p, &sample, NULL), GDRQ_OK);
        check_sample(codes, truth, &t);
        random = random_start(11, i);
        assert_int_equal(segmentation_sample(&set, &random, 0, &p, &other, NULL), GDRQ_OK);
        assert_memory_equal(codes, again, sizeof codes);
        assert_memory_equal(truth, same, sizeof truth);
    }
    printf("%d clear pixels, %d void, %d outside\n", t.clear, t.void_pixels, t.ground);
    assert_true(t.clear > 60 * NET_W * NET_H / 3 && t.void_pixels > 1000 && t.ground > 1000);
    picture_free(&p);
}

/* Without augmentation of colours and shape, of a picture of the network's size. */
static void a_plain_picture_keeps_its_mask(void **state) {
    enum { HALF_W = W / 2, HALF_H = H / 2 };
    char *paths[] = {"images/s.png"};
    const segmentation_set set = {.images = {.paths = paths, .n = 1},
                                  .rules = {.classes = CLASSES, .void_index = 77, .background = -1},
                                  .augment = {0, 1, 1, 1, true, 0, 1, 1},
                                  .w = HALF_W,
                                  .h = HALF_H};
    static unsigned char codes[3 * W * H];
    static float truth[HALF_W * HALF_H];
    int mirrored = 0;
    (void)state;
    write_sample_files();
    picture p = draw_cells();
    for (uint64_t i = 0; i < 10; i++) {
        random_stream random = random_start(12, i);
        const loader_sample sample = {W, H, codes, truth};
        assert_int_equal(segmentation_sample(&set, &random, 0, &p, &sample, NULL), GDRQ_OK);
        const bool flipped = truth[0] != (float)class_of_cell(0, 0);
        mirrored += flipped;
        for (int k = 0; k < HALF_W * HALF_H; k++) {
            const int x = k % HALF_W, column = 2 * (flipped ? HALF_W - 1 - x : x) + 1;
            const int class_id = class_of_cell(column, 2 * (k / HALF_W) + 1);
            assert_true(truth[k] == (class_id == VOID_CELL ? -1 : (float)class_id));
        }
    }
    assert_true(mirrored > 0 && mirrored < 10);
    picture_free(&p);
}

static void bad_masks_end_a_sample(void **state) {
    char *paths[] = {"images/missing.png"};
    const segmentation_set set = {.images = {.paths = paths, .n = 1},
                                  .rules = {.classes = CLASSES, .void_index = 77, .background = -1},
                                  .augment = {0, 1, 1, 1, true, 0, 1, 1},
                                  .w = NET_W,
                                  .h = NET_H};
    static unsigned char codes[3 * NET_W * NET_H];
    static float truth[NET_W * NET_H];
    const loader_sample sample = {NET_W, NET_H, codes, truth};
    random_stream random = random_start(1, 1);
    gdrq_error err;
    (void)state;
    picture p = draw_cells();
    assert_int_equal(segmentation_sample(&set, &random, 0, &p, &sample, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "images/missing.png: its mask is missing"));
    picture_free(&p);
}

/* ---- mean IoU ---- */

static void hand_made_cases(void **state) {
    /* class 0: 2 right, 1 taken for 1; class 1: 1 right, 2 taken for 0; class 2 neither. */
    static const unsigned char truth[] = {0, 0, 0, 1, 1, 1, 255, 255};
    static const unsigned char found[] = {0, 0, 1, 1, 0, 0, 2, 0};
    confusion c;
    (void)state;
    assert_int_equal(confusion_make(3, &c, NULL), GDRQ_OK);
    assert_true(isnan(confusion_mean_iou(&c)) && isnan(confusion_pixel_accuracy(&c)));
    confusion_add(&c, truth, found, sizeof truth);
    assert_float_equal(confusion_iou(&c, 0), 2. / 5, 1e-12);
    assert_float_equal(confusion_iou(&c, 1), 1. / 4, 1e-12);
    assert_true(isnan(confusion_iou(&c, 2)));
    assert_float_equal(confusion_mean_iou(&c), (2. / 5 + 1. / 4) / 2, 1e-12);
    assert_int_equal(confusion_measured_classes(&c), 2);
    assert_float_equal(confusion_pixel_accuracy(&c), 3. / 6, 1e-12);
    assert_float_equal(confusion_class_accuracy(&c), (2. / 3 + 1. / 3) / 2, 1e-12);
    /* A class that is found where it is not counts with an IoU of 0. */
    confusion_add(&c, (unsigned char[]){0}, (unsigned char[]){2}, 1);
    assert_float_equal(confusion_iou(&c, 2), 0, 0);
    assert_int_equal(confusion_measured_classes(&c), 3);
    assert_float_equal(confusion_mean_iou(&c), (2. / 6 + 1. / 4 + 0) / 3, 1e-12);
    confusion_free(&c);
}

/* The sets of pixels themselves, intersected and united. */
static void agrees_with_sets(void **state) {
    enum { N = 5000, K = 7 };
    static unsigned char truth[N], found[N];
    confusion c;
    (void)state;
    random_stream r = random_start(3, 0);
    assert_int_equal(confusion_make(K, &c, NULL), GDRQ_OK);
    for (int i = 0; i < N; i++) {
        truth[i] = (unsigned char)(random_below(&r, 10) ? random_below(&r, K) : 255);
        found[i] =
            (unsigned char)(truth[i] < K && random_below(&r, 3) ? truth[i] : random_below(&r, K));
    }
    for (int i = 0; i < N; i += 1000)
        confusion_add(&c, truth + i, found + i, 1000);
    double mean = 0;
    for (int k = 0; k < K; k++) {
        int both = 0, either = 0;
        for (int i = 0; i < N; i++) {
            both += truth[i] == k && found[i] == k;
            either += truth[i] != 255 && (truth[i] == k || found[i] == k);
        }
        assert_float_equal(confusion_iou(&c, k), (double)both / either, 1e-12);
        mean += (double)both / either / K;
    }
    assert_float_equal(confusion_mean_iou(&c), mean, 1e-12);
    confusion_free(&c);
}

static void matrices_are_shown(void **state) {
    static const char *const names[] = {"Gebäude", "übergroße Gebäudeteile"};
    char *text;
    size_t n;
    confusion c;
    (void)state;
    assert_int_equal(confusion_make(2, &c, NULL), GDRQ_OK);
    confusion_add(&c, (unsigned char[]){0, 0, 0, 1}, (unsigned char[]){0, 0, 1, 0}, 4);
    FILE *out = open_memstream(&text, &n);
    confusion_print(&c, names, out);
    fclose(out);
    assert_string_equal(text, "true \\ found, in %         0      1\n"
                              "                       Gebäu  überg\n"
                              "  0 Gebäude             66.7   33.3\n"
                              "  1 übergroße Gebäude  100.0    0.0\n");
    free(text);
    out = open_memstream(&text, &n);
    confusion_print(&c, NULL, out);
    fclose(out);
    assert_string_equal(text, "true \\ found, in %         0      1\n"
                              "  0                     66.7   33.3\n"
                              "  1                    100.0    0.0\n");
    free(text);
    assert_int_equal(confusion_measured_classes(&c), 2);
    assert_int_equal(confusion_draw(&c, names, "matrix.png", NULL), GDRQ_OK);
    picture p;
    assert_int_equal(picture_load("matrix.png", &p, NULL), GDRQ_OK);
    /* Two thirds of dark blue in the corner of the first cell, white in the last. */
    const unsigned char *first = p.data + 3 * (64 * p.w + 134);
    const unsigned char *last = p.data + 3 * (128 * p.w + 198);
    assert_true(first[0] > first[2] + 50 && last[0] == 255 && last[2] == 255);
    picture_free(&p);
    confusion_free(&c);
}

/* ---- two networks ---- */

static void what_is_no_number_differs(void **state) {
    const float a[] = {1, NAN, 3, NAN, INFINITY}, b[] = {1.5f, 2, 2, NAN, INFINITY};
    output_difference d = {0};
    (void)state;
    output_difference_add(&d, a, b, 1);
    assert_true(d.largest == .5 && d.not_finite == 0);
    output_difference_add(&d, a + 1, b + 1, 4);
    assert_true(d.largest == 1 && d.not_finite == 3);
}

static void differences_are_told_in_parts_of_the_outputs(void **state) {
    const float a[] = {3, 4, 0}, b[] = {3, 4, .5f}, zeros[3] = {0};
    output_difference same = {0}, near = {0}, other = {0}, nothing = {0};
    (void)state;
    output_difference_add(&same, a, a, 3);
    assert_true(output_difference_relative(&same) == 0);
    output_difference_add(&near, a, b, 3);
    assert_true(output_difference_relative(&near) == .1);
    /* Over several heads. */
    output_difference_add(&other, a, zeros, 1);
    output_difference_add(&other, a + 1, zeros, 1);
    assert_true(output_difference_relative(&other) == 1);
    output_difference_add(&nothing, zeros, b, 3);
    assert_true(isinf(output_difference_relative(&nothing)));
}

/* ---- overlay ---- */

static void overlays_blend(void **state) {
    const palette two = {.rgb = {{0, 0, 0}, {200, 100, 50}}, .n = 2};
    const unsigned char classes[] = {0, 1, 1, 9};
    picture p;
    (void)state;
    assert_int_equal(picture_make(2, 2, (unsigned char[3]){50, 60, 100}, &p, NULL), GDRQ_OK);
    overlay_draw(&p, classes, &two, .5f, 9);
    static const unsigned char expected[] = {25, 30, 50, 50, 80, 150, 50, 80, 150, 50, 60, 100};
    assert_memory_equal(p.data, expected, sizeof expected);
    overlay_draw(&p, classes, &two, 0, -1);
    assert_memory_equal(p.data, expected, 9);
    overlay_draw(&p, classes, &two, 1, -1);
    assert_memory_equal(p.data + 3, ((unsigned char[]){50, 100, 200}), 3);
    picture_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_and_masks_stay_together),
        cmocka_unit_test(a_plain_picture_keeps_its_mask),
        cmocka_unit_test(bad_masks_end_a_sample),
        cmocka_unit_test(hand_made_cases),
        cmocka_unit_test(agrees_with_sets),
        cmocka_unit_test(matrices_are_shown),
        cmocka_unit_test(what_is_no_number_differs),
        cmocka_unit_test(differences_are_told_in_parts_of_the_outputs),
        cmocka_unit_test(overlays_blend),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
