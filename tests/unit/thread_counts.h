/* The same work on 1, 2 and 4 threads, and again: its results to the bit. */
#ifndef TESTS_THREAD_COUNTS_H
#define TESTS_THREAD_COUNTS_H

#include "cmocka_all.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const int thread_counts[] = {1, 2, 4};
enum { THREAD_COUNTS = sizeof thread_counts / sizeof *thread_counts };

/* Zeroed, it is empty. */
typedef struct results {
    float *x;
    size_t n;
} results;

/* What is run; it doesn't change *subject. */
typedef results threaded_work(const void *subject);

static inline void add_results(results *r, const float *x, size_t n) {
    float *const all = realloc(r->x, (r->n + n + 1) * sizeof *all);
    assert_non_null(all);
    if (n)
        memcpy(all + r->n, x, n * sizeof *all);
    *r = (results){all, r->n + n};
}

static inline results run_on_threads(int threads, threaded_work *work, const void *subject) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    const results r = work(subject);
    omp_set_num_threads(before);
    return r;
}

static inline void assert_same_results(const char *what, const results *first, int first_threads,
                                       const results *again, int again_threads) {
    if (first->n == again->n && memcmp(first->x, again->x, first->n * sizeof *first->x) == 0)
        return;
    size_t i = 0;
    while (i < first->n && memcmp(first->x + i, again->x + i, sizeof *first->x) == 0)
        i++;
    fail_msg("%s: of %zu and %zu values, [%zu] is %.9g with %d threads and %.9g with %d", what,
             first->n, again->n, i, first->x[i], first_threads, again->x[i], again_threads);
}

/* One result for all numbers of threads, and whenever it is computed again. */
static inline void assert_threads_make_no_difference(const char *what, threaded_work *work,
                                                     const void *subject) {
    results first = run_on_threads(1, work, subject);
    for (int i = THREAD_COUNTS - 1; i >= 0; i--) {
        results again = run_on_threads(thread_counts[i], work, subject);
        assert_same_results(what, &first, 1, &again, thread_counts[i]);
        free(again.x);
    }
    free(first.x);
}

/* One result per number of threads, whenever it is computed again. */
static inline void assert_repeats(const char *what, threaded_work *work, const void *subject) {
    for (int i = 0; i < THREAD_COUNTS; i++) {
        const int threads = thread_counts[i];
        results first = run_on_threads(threads, work, subject);
        results again = run_on_threads(threads, work, subject);
        assert_same_results(what, &first, threads, &again, threads);
        free(first.x);
        free(again.x);
    }
}

#endif
