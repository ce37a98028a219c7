/*
 * Average precision against numbers that others gave for the same generated data sets: pycocotools
 * for COCO's definition, a computation in Python by the description of PASCAL VOC's development kit
 * for VOC's. `test_map --dump` prints the data sets and our results;
 * scripts/check_map_against_pycocotools compares them live and prints the table of expected numbers
 * anew.
 */
#include "eval/map.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TOLERANCE 1e-6

typedef struct data_set {
    const char *name;
    uint64_t seed;
    int classes, images;
    int classes_with_truths; /* the first ones; detections use all classes */
    int most_truths;         /* per image: 0..most_truths */
    int most_found;          /* detections per truth: 0..most_found */
    int most_wrong;          /* further detections per image: 0..most_wrong */
    int score_levels;        /* scores are multiples of 1/score_levels; 0: continuous */
    double jitter;           /* of a detection's sides, relative to the truth's size */
    double grid;             /* coordinates are multiples of it; 0: continuous */
    int copies;              /* how often every detection and every truth is added */
} data_set;

static const data_set data_sets[] = {
    {"plain", 1, 3, 25, 3, 6, 2, 4, 0, .25, 0, 1},
    {"ties", 2, 2, 30, 2, 6, 3, 5, 4, .3, 8, 1},
    {"no_detections", 3, 2, 10, 2, 4, 0, 0, 0, .2, 0, 1},
    {"no_truths", 4, 3, 10, 3, 0, 0, 6, 0, .2, 0, 1},
    {"absent_classes", 5, 7, 20, 4, 5, 2, 6, 0, .2, 0, 1},
    {"duplicates", 6, 2, 12, 2, 4, 2, 2, 8, .15, 4, 3},
    {"crowded", 7, 2, 3, 2, 60, 4, 400, 50, .2, 1, 1},
    {"many_classes", 8, 80, 60, 75, 12, 2, 8, 0, .15, 0, 1},
    {"exact_boxes", 9, 3, 15, 3, 5, 1, 0, 0, 0, 1, 1},
};
enum { N_DATA_SETS = sizeof data_sets / sizeof data_sets[0] };

/* Which class's AP at the ten thresholds is in the table, and how it weighs all the others. */
typedef struct expected {
    double map50, map;
    double ap[MAP_THRESHOLDS]; /* of class 0 */
    double weighted;           /* sum over the classes of (k + 1) * mean AP, -1 where absent */
} expected;

static const struct {
    const char *name;
    map_method method;
} methods[] = {{"coco", MAP_COCO}, {"voc2007", MAP_VOC2007}, {"area", MAP_VOC_AREA}};
enum { N_METHODS = sizeof methods / sizeof methods[0] };

/* Printed by scripts/check_map_against_pycocotools --table. */
static const expected expectations[N_DATA_SETS][N_METHODS] = {
#include "map_expected.inc"
};

/* splitmix64 */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(uint64_t *state) {
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

static int below(uint64_t *state, int n) {
    return (int)(next_random(state) % (uint64_t)n);
}

static double snap(double value, double grid) {
    return grid > 0 ? grid * round(value / grid) : value;
}

static double random_score(const data_set *set, uint64_t *state) {
    return set->score_levels ? (1 + below(state, set->score_levels)) / (double)set->score_levels
                             : uniform(state);
}

static map_box random_box(const data_set *set, uint64_t *state) {
    map_box box;
    box.left = snap(400 * uniform(state), set->grid);
    box.top = snap(300 * uniform(state), set->grid);
    box.w = snap(16 + 120 * uniform(state), set->grid);
    box.h = snap(16 + 120 * uniform(state), set->grid);
    return box;
}

static double moved(double value, double size, const data_set *set, uint64_t *state) {
    return snap(value + set->jitter * size * (2 * uniform(state) - 1), set->grid);
}

typedef struct sink {
    map_eval *eval;
    FILE *dump; /* NULL: none */
    int copies;
} sink;

static void put_truth(const sink *to, int image, int class_id, map_box b) {
    for (int i = 0; i < to->copies; ++i) {
        assert_int_equal(map_add_truth(to->eval, image, class_id, &b, NULL), GDRQ_OK);
        if (to->dump)
            fprintf(to->dump, "truth %d %d %.17g %.17g %.17g %.17g\n", image, class_id, b.left,
                    b.top, b.w, b.h);
    }
}

static void put_detection(const sink *to, int image, int class_id, double score, map_box b) {
    for (int i = 0; i < to->copies; ++i) {
        assert_int_equal(map_add_detection(to->eval, image, class_id, score, &b, NULL), GDRQ_OK);
        if (to->dump)
            fprintf(to->dump, "detection %d %d %.17g %.17g %.17g %.17g %.17g\n", image, class_id,
                    score, b.left, b.top, b.w, b.h);
    }
}

static void put_image(const data_set *set, int image, uint64_t *state, const sink *to) {
    for (int n = below(state, set->most_truths + 1); n > 0; --n) {
        const map_box truth = random_box(set, state);
        const int class_id = below(state, set->classes_with_truths);
        put_truth(to, image, class_id, truth);
        for (int f = below(state, set->most_found + 1); f > 0; --f) {
            map_box box;
            box.left = moved(truth.left, truth.w, set, state);
            box.top = moved(truth.top, truth.h, set, state);
            box.w = fmax(1, moved(truth.w, truth.w, set, state));
            box.h = fmax(1, moved(truth.h, truth.h, set, state));
            const int confused = below(state, 8) == 0;
            put_detection(to, image, confused ? below(state, set->classes) : class_id,
                          random_score(set, state), box);
        }
    }
    for (int n = below(state, set->most_wrong + 1); n > 0; --n) {
        const map_box box = random_box(set, state);
        const int class_id = below(state, set->classes);
        put_detection(to, image, class_id, random_score(set, state), box);
    }
}

static map_eval *begin(int classes) {
    map_eval *eval;
    assert_int_equal(map_begin(classes, &eval, NULL), GDRQ_OK);
    return eval;
}

static map_eval *fill(const data_set *set, FILE *dump) {
    const sink to = {.eval = begin(set->classes), .dump = dump, .copies = set->copies};
    uint64_t state = set->seed;
    for (int image = 0; image < set->images; ++image)
        put_image(set, image, &state, &to);
    return to.eval;
}

/* Free with map_result_free(). */
static map_result finish(map_eval *eval, map_method method, double confidence) {
    const map_options options = {.method = method, .confidence = confidence};
    map_result result;
    assert_int_equal(map_finish(eval, &options, &result, NULL), GDRQ_OK);
    return result;
}

static void dump_result(FILE *out, const map_result *result) {
    for (int k = 0; k < result->n; ++k) {
        fprintf(out, "ap %d", k);
        for (int t = 0; t < MAP_THRESHOLDS; ++t)
            fprintf(out, " %.17g", result->classes[k].ap[t]);
        fprintf(out, "\n");
    }
    fprintf(out, "map %.17g %.17g\n", result->map50, result->map);
}

static void dump_data_sets(FILE *out) {
    for (int i = 0; i < N_DATA_SETS; ++i) {
        const data_set *set = &data_sets[i];
        fprintf(out, "set %s %d %d\n", set->name, set->classes, set->images);
        map_eval *eval = fill(set, out);
        for (int m = 0; m < N_METHODS; ++m) {
            map_result result = finish(eval, methods[m].method, .25);
            fprintf(out, "method %s\n", methods[m].name);
            dump_result(out, &result);
            map_result_free(&result);
        }
        map_free(eval);
    }
}

static void assert_as_expected(const map_result *result, const expected *want) {
    double weighted = 0;
    for (int k = 0; k < result->n; ++k)
        weighted += (k + 1) * result->classes[k].mean_ap;
    print_message("map50 %.9f map %.9f weighted %.9f\n", result->map50, result->map, weighted);
    assert_true(fabs(result->map50 - want->map50) < TOLERANCE);
    assert_true(result->map_at[0] == result->map50);
    assert_true(fabs(result->map - want->map) < TOLERANCE);
    for (int t = 0; t < MAP_THRESHOLDS; ++t)
        assert_true(fabs(result->classes[0].ap[t] - want->ap[t]) < TOLERANCE);
    assert_true(fabs(weighted - want->weighted) < TOLERANCE * result->n * result->n);
}

static void test_agrees_with_others(void **state) {
    (void)state;
    for (int i = 0; i < N_DATA_SETS; ++i) {
        map_eval *eval = fill(&data_sets[i], NULL);
        for (int m = 0; m < N_METHODS; ++m) {
            map_result result = finish(eval, methods[m].method, .25);
            print_message("%s %s: ", data_sets[i].name, methods[m].name);
            assert_as_expected(&result, &expectations[i][m]);
            map_result_free(&result);
        }
        map_free(eval);
    }
}

static void add_truth(map_eval *eval, int image, int class_id, double left, double w) {
    const map_box box = {left, 0, w, 10};
    assert_int_equal(map_add_truth(eval, image, class_id, &box, NULL), GDRQ_OK);
}

static void add_detection(map_eval *eval, int image, int class_id, double score, double left,
                          double w) {
    const map_box box = {left, 0, w, 10};
    assert_int_equal(map_add_detection(eval, image, class_id, score, &box, NULL), GDRQ_OK);
}

/* Two truths; hit, miss, hit: precision 1 up to recall 0.5, then 2/3. */
static void test_by_hand(void **state) {
    (void)state;
    map_eval *eval = begin(1);
    add_truth(eval, 0, 0, 0, 10);
    add_truth(eval, 1, 0, 0, 10);
    add_detection(eval, 1, 0, .7, 0, 10);
    add_detection(eval, 0, 0, .8, 50, 10);
    add_detection(eval, 0, 0, .9, 0, 10);
    map_result result = finish(eval, MAP_COCO, .75);
    const double ap = (51 + 50 * 2. / 3) / 101;
    for (int t = 0; t < MAP_THRESHOLDS; ++t)
        assert_true(fabs(result.classes[0].ap[t] - ap) < 1e-12);
    assert_true(fabs(result.map50 - ap) < 1e-12);
    assert_true(fabs(result.map - ap) < 1e-12);
    const map_counts *counts = &result.classes[0].counts;
    assert_int_equal(counts->truths, 2);
    assert_int_equal(counts->detections, 2);
    assert_int_equal(counts->true_positives, 1);
    assert_int_equal(counts->false_positives, 1);
    assert_true(counts->precision == .5 && counts->recall == .5 && counts->f1 == .5);
    assert_memory_equal(counts, &result.total, sizeof *counts);
    map_result_free(&result);
    map_free(eval);
}

/* Boxes of 10x10 and 8x10 within each other: IoU 0.8, a hit up to that threshold, inclusive. */
static void test_threshold_is_inclusive(void **state) {
    (void)state;
    map_eval *eval = begin(1);
    add_truth(eval, 0, 0, 0, 10);
    add_detection(eval, 0, 0, .5, 0, 8);
    map_result result = finish(eval, MAP_COCO, 0);
    for (int t = 0; t < MAP_THRESHOLDS; ++t)
        assert_true(fabs(result.classes[0].ap[t] - (t <= 6 ? 1 : 0)) < 1e-12);
    map_result_free(&result);
    map_free(eval);
}

/* A detection takes the truth that it fits best, not the first: the second one gets the other. */
static void test_best_truth_is_taken(void **state) {
    (void)state;
    map_eval *eval = begin(1);
    add_truth(eval, 0, 0, 0, 10);
    add_truth(eval, 0, 0, 2, 10);
    add_detection(eval, 0, 0, .9, 2, 10);
    add_detection(eval, 0, 0, .8, 0, 10);
    map_result result = finish(eval, MAP_COCO, 0);
    assert_true(fabs(result.classes[0].ap[9] - 1) < 1e-12);
    assert_int_equal(result.total.true_positives, 2);
    map_result_free(&result);
    map_free(eval);
}

/* 100 misses in one image hide the hit that scores less; without the last miss it counts. */
static void test_at_most_100_detections(void **state) {
    (void)state;
    for (int misses = 99; misses <= 100; ++misses) {
        map_eval *eval = begin(1);
        add_truth(eval, 0, 0, 0, 10);
        add_detection(eval, 0, 0, .1, 0, 10);
        for (int i = 0; i < misses; ++i)
            add_detection(eval, 0, 0, .9, 100 + i, 10);
        map_result result = finish(eval, MAP_COCO, .05);
        assert_true(fabs(result.map50 - (misses == 99 ? .01 : 0)) < 1e-12);
        assert_int_equal(result.total.detections, 100);
        assert_int_equal(result.total.true_positives, misses == 99 ? 1 : 0);
        map_result_free(&result);
        map_free(eval);
    }
}

/* One truth and two hits on another's place: VOC gives a detection to what it overlaps most. */
static void test_voc_takes_the_most_overlapped(void **state) {
    (void)state;
    map_eval *eval = begin(1);
    add_truth(eval, 0, 0, 0, 10);
    add_truth(eval, 0, 0, 3, 10);
    add_detection(eval, 0, 0, .9, 0, 10);
    add_detection(eval, 0, 0, .8, 1, 10);
    /* The second overlaps the first truth by 9 of 11 and the second truth by 8 of 12. */
    map_result result = finish(eval, MAP_COCO, 0);
    assert_true(fabs(result.map50 - 1) < 1e-12);
    map_result_free(&result);
    result = finish(eval, MAP_VOC_AREA, 0);
    assert_true(fabs(result.map50 - .5) < 1e-12);
    assert_int_equal(result.total.false_positives, 1);
    map_result_free(&result);
    result = finish(eval, MAP_VOC2007, 0);
    assert_true(fabs(result.map50 - 6 / 11.) < 1e-12);
    map_result_free(&result);
    map_free(eval);
}

/* COCO's limit of 100 detections is not VOC's. */
static void test_voc_counts_all_detections(void **state) {
    (void)state;
    map_eval *eval = begin(1);
    add_truth(eval, 0, 0, 0, 10);
    add_detection(eval, 0, 0, .1, 0, 10);
    for (int i = 0; i < 199; ++i)
        add_detection(eval, 0, 0, .9, 100 + i, 10);
    map_result result = finish(eval, MAP_VOC_AREA, .05);
    assert_true(fabs(result.map50 - 1 / 200.) < 1e-12);
    assert_int_equal(result.total.detections, 200);
    map_result_free(&result);
    map_free(eval);
}

/* Precision and recall at another overlap than 0.50: a hit of IoU 0.8. */
static void test_counts_at_an_iou(void **state) {
    (void)state;
    map_eval *eval = begin(1);
    add_truth(eval, 0, 0, 0, 10);
    add_detection(eval, 0, 0, .5, 0, 8);
    for (int t = 0; t < MAP_THRESHOLDS; ++t) {
        const map_options options = {.iou_index = t};
        map_result result;
        assert_int_equal(map_finish(eval, &options, &result, NULL), GDRQ_OK);
        assert_int_equal(result.total.true_positives, t <= 6 ? 1 : 0);
        map_result_free(&result);
    }
    const map_options beyond = {.iou_index = MAP_THRESHOLDS};
    map_result result;
    assert_int_equal(map_finish(eval, &beyond, &result, NULL), GDRQ_ERROR_ARGUMENT);
    map_free(eval);
}

static void test_class_without_truths_is_left_out(void **state) {
    (void)state;
    map_eval *eval = begin(3);
    add_truth(eval, 4, 2, 0, 10);
    add_detection(eval, 4, 2, .5, 0, 10);
    add_detection(eval, 4, 0, .5, 0, 10);
    map_result result = finish(eval, MAP_COCO, .1);
    assert_int_equal(result.n, 3);
    assert_int_equal(result.classes_with_truths, 1);
    assert_true(result.classes[0].mean_ap == -1 && result.classes[1].mean_ap == -1);
    assert_int_equal(result.classes[0].counts.false_positives, 1);
    assert_true(result.classes[0].counts.recall == 0 && result.classes[0].counts.f1 == 0);
    assert_true(fabs(result.map - 1) < 1e-12);
    assert_true(result.total.precision == .5 && result.total.recall == 1);
    map_result_free(&result);
    map_free(eval);
}

/* Finishing twice, and adding in between, gives what adding everything first gives. */
static void test_goes_on_after_finish(void **state) {
    (void)state;
    map_eval *eval = begin(1);
    map_result result = finish(eval, MAP_COCO, 0);
    assert_true(result.map50 == -1 && result.map == -1);
    map_result_free(&result);
    add_truth(eval, 1, 0, 0, 10);
    result = finish(eval, MAP_COCO, 0);
    assert_true(result.map50 == 0);
    map_result_free(&result);
    add_truth(eval, 0, 0, 0, 10);
    add_detection(eval, 0, 0, .5, 0, 10);
    add_detection(eval, 1, 0, .5, 0, 10);
    result = finish(eval, MAP_COCO, 0);
    assert_true(fabs(result.map50 - 1) < 1e-12);
    map_result_free(&result);
    map_result_free(&result);
    map_free(eval);
    map_free(NULL);
}

static void test_refuses_bad_input(void **state) {
    (void)state;
    map_eval *eval;
    gdrq_error err;
    assert_int_equal(map_begin(0, &eval, &err), GDRQ_ERROR_ARGUMENT);
    assert_null(eval);
    eval = begin(2);
    const map_box good = {0, 0, 1, 1}, negative = {0, 0, -1, 1}, nan = {NAN, 0, 1, 1};
    assert_int_equal(map_add_truth(eval, 0, 2, &good, &err), GDRQ_ERROR_ARGUMENT);
    assert_string_equal(err.message, "truth in image 0: class 2 is not in 0..1");
    assert_int_equal(map_add_truth(eval, 0, -1, &good, &err), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(map_add_truth(eval, -1, 0, &good, &err), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(map_add_truth(eval, 0, 0, &negative, &err), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(map_add_detection(eval, 0, 0, 1, &nan, &err), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(map_add_detection(eval, 0, 0, INFINITY, &good, &err), GDRQ_ERROR_ARGUMENT);
    map_result result = finish(eval, MAP_COCO, 0);
    assert_int_equal(result.total.truths + result.total.detections, 0);
    map_result_free(&result);
    map_free(eval);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--dump") == 0) {
        dump_data_sets(stdout);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_others),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_threshold_is_inclusive),
        cmocka_unit_test(test_best_truth_is_taken),
        cmocka_unit_test(test_at_most_100_detections),
        cmocka_unit_test(test_voc_takes_the_most_overlapped),
        cmocka_unit_test(test_voc_counts_all_detections),
        cmocka_unit_test(test_counts_at_an_iou),
        cmocka_unit_test(test_class_without_truths_is_left_out),
        cmocka_unit_test(test_goes_on_after_finish),
        cmocka_unit_test(test_refuses_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
