/* Anchors against exhaustive searches, and what they promise. */
#include "eval/anchors.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "random_data.h"

enum { MOST_SIZES = 6000 };

static box_size random_size(void) {
    return (box_size){4 + 200 * (float)random_unit(), 4 + 200 * (float)random_unit()};
}

static void random_sizes(box_size *sizes, int n) {
    for (int i = 0; i < n; i++)
        sizes[i] = random_size();
}

static void fit(const box_size *sizes, int n, int k, box_size *anchors) {
    gdrq_error err;
    if (anchors_fit(sizes, (size_t)n, k, 1, anchors, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
}

/* The mean IoU of the clusters' means, of the clustering whose digits in base k are `code`. */
static double clustering_iou(const box_size *sizes, int n, int k, long code) {
    double w[4] = {0}, h[4] = {0}, members[4] = {0};
    for (int i = 0; i < n; i++, code /= k) {
        const int j = (int)(code % k);
        w[j] += sizes[i].w;
        h[j] += sizes[i].h;
        members[j]++;
    }
    box_size anchors[4];
    int used = 0;
    for (int j = 0; j < k; j++)
        if (members[j] > 0)
            anchors[used++] = (box_size){(float)(w[j] / members[j]), (float)(h[j] / members[j])};
    return anchors_mean_iou(sizes, (size_t)n, anchors, used);
}

static double best_clustering_iou(const box_size *sizes, int n, int k) {
    double best = 0;
    const long codes = lround(pow(k, n));
    for (long code = 0; code < codes; code++)
        best = fmax(best, clustering_iou(sizes, n, k, code));
    return best;
}

/* No way to divide a few sizes among anchors that are their means is better. */
static void test_reaches_the_best_clustering(void **state) {
    (void)state;
    for (int trial = 0; trial < 30; trial++) {
        const int k = random_int(1, 3), n = random_int(k, k == 3 ? 8 : 11);
        box_size sizes[16], anchors[3];
        random_sizes(sizes, n);
        fit(sizes, n, k, anchors);
        const double ours = anchors_mean_iou(sizes, (size_t)n, anchors, k);
        const double best = best_clustering_iou(sizes, n, k);
        if (ours < best - 1e-6)
            fail_msg("trial %d: %d anchors for %d sizes have mean IoU %.6f, the best clustering "
                     "%.6f",
                     trial, k, n, ours, best);
    }
}

/* One anchor against all points of a fine grid. */
static void test_one_anchor_is_the_best(void **state) {
    (void)state;
    for (int trial = 0; trial < 20; trial++) {
        enum { N = 12, STEPS = 300 };
        box_size sizes[N], anchor;
        random_sizes(sizes, N);
        fit(sizes, N, 1, &anchor);
        double best = 0;
        for (int i = 1; i <= STEPS; i++)
            for (int j = 1; j <= STEPS; j++) {
                const box_size tried = {210.f * (float)i / STEPS, 210.f * (float)j / STEPS};
                best = fmax(best, anchors_mean_iou(sizes, N, &tried, 1));
            }
        const double ours = anchors_mean_iou(sizes, N, &anchor, 1);
        if (ours < best - 2e-3)
            fail_msg("trial %d: %.6f, a grid finds %.6f", trial, ours, best);
    }
}

/* Tight groups far from each other: the anchors are where the groups are. */
static void test_finds_groups(void **state) {
    (void)state;
    static const box_size groups[] = {{10, 13}, {33, 23}, {62, 45}, {59, 119}, {373, 326}};
    enum { K = sizeof groups / sizeof *groups, EACH = 100 };
    box_size sizes[K * EACH], anchors[K];
    for (int i = 0; i < K * EACH; i++) {
        const box_size *g = &groups[i % K];
        sizes[i] = (box_size){g->w * (1 + .02f * ((float)random_unit() - .5f)),
                              g->h * (1 + .02f * ((float)random_unit() - .5f))};
    }
    fit(sizes, K * EACH, K, anchors);
    for (int j = 0; j < K; j++)
        assert_true(box_size_iou(anchors[j], groups[j]) > .98f);
}

static void test_sorted_by_area(void **state) {
    (void)state;
    static box_size sizes[MOST_SIZES];
    box_size anchors[9];
    random_sizes(sizes, MOST_SIZES);
    fit(sizes, MOST_SIZES, 9, anchors);
    for (int j = 1; j < 9; j++)
        assert_true(anchors[j - 1].w * anchors[j - 1].h <= anchors[j].w * anchors[j].h);
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    static box_size sizes[MOST_SIZES];
    box_size one[6], many[6];
    random_sizes(sizes, MOST_SIZES);
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    fit(sizes, MOST_SIZES, 6, one);
    omp_set_num_threads(3);
    fit(sizes, MOST_SIZES, 6, many);
    omp_set_num_threads(before);
    assert_memory_equal(one, many, sizeof one);
}

/* More anchors never fit worse, and as many as there are sizes fit exactly. */
static void test_more_anchors_fit_better(void **state) {
    (void)state;
    enum { N = 40 };
    box_size sizes[N], anchors[N];
    random_sizes(sizes, N);
    double before = 0;
    for (int k = 1; k <= N; k += 3) {
        fit(sizes, N, k, anchors);
        const double mean = anchors_mean_iou(sizes, N, anchors, k);
        assert_true(mean >= before - 1e-6);
        before = mean;
    }
    assert_true(before > .9999);
}

/* Fewer different sizes than anchors. */
static void test_equal_sizes(void **state) {
    (void)state;
    box_size sizes[20], anchors[5];
    for (int i = 0; i < 20; i++)
        sizes[i] = i % 2 ? (box_size){10, 20} : (box_size){40, 30};
    fit(sizes, 20, 5, anchors);
    for (int j = 0; j < 5; j++)
        assert_true(isfinite(anchors[j].w) && anchors[j].w > 0 && anchors[j].h > 0);
    assert_true(anchors_mean_iou(sizes, 20, anchors, 5) > .9999);
}

static void test_refuses_bad_input(void **state) {
    (void)state;
    box_size anchors[4], sizes[] = {{1, 1}, {2, 2}, {3, 0}};
    gdrq_error err;
    assert_int_equal(anchors_fit(sizes, 2, 0, 1, anchors, &err), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(anchors_fit(sizes, 2, ANCHORS_MOST + 1, 1, anchors, &err),
                     GDRQ_ERROR_ARGUMENT);
    assert_int_equal(anchors_fit(sizes, 2, 3, 1, anchors, &err), GDRQ_ERROR_ARGUMENT);
    assert_string_equal(err.message, "2 boxes are too few for 3 anchors");
    assert_int_equal(anchors_fit(sizes, 3, 2, 1, anchors, &err), GDRQ_ERROR_ARGUMENT);
    sizes[2].h = INFINITY;
    assert_int_equal(anchors_fit(sizes, 3, 2, 1, anchors, &err), GDRQ_ERROR_ARGUMENT);
}

int main(void) {
    seed_random(20190801);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reaches_the_best_clustering),
        cmocka_unit_test(test_one_anchor_is_the_best),
        cmocka_unit_test(test_finds_groups),
        cmocka_unit_test(test_sorted_by_area),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_more_anchors_fit_better),
        cmocka_unit_test(test_equal_sizes),
        cmocka_unit_test(test_refuses_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
