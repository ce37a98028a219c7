/* The per-thread buffer. */
#include "cmocka_all.h"

#include <pthread.h>
#include <string.h>

#include "primitives/scratch.h"

static void grows_and_stays(void **state) {
    (void)state;
    float *small = gdrq_scratch(10, NULL);
    assert_non_null(small);
    small[9] = 1;
    assert_ptr_equal(gdrq_scratch(5, NULL), small);
    float *large = gdrq_scratch(100000, NULL);
    assert_non_null(large);
    assert_true((uintptr_t)large % 64 == 0);
    large[0] = large[99999] = 2;
    assert_ptr_equal(gdrq_scratch(10, NULL), large);
    assert_ptr_equal(gdrq_scratch(0, NULL), large);
}

static void too_much(void **state) {
    (void)state;
    gdrq_error err = {""};
    assert_null(gdrq_scratch(SIZE_MAX / 2, &err));
    assert_non_null(strstr(err.message, "memory"));
    assert_null(gdrq_scratch(SIZE_MAX, NULL));
    assert_non_null(gdrq_scratch(10, NULL)); /* and it recovers */
}

static void *scratch_of_thread(void *unused) {
    (void)unused;
    float *mine = gdrq_scratch(1000, NULL);
    if (mine)
        mine[999] = 3;
    return mine;
}

static void threads_have_their_own(void **state) {
    (void)state;
    float *mine = gdrq_scratch(1000, NULL);
    assert_non_null(mine);
    mine[999] = 4;
    pthread_t thread;
    void *other;
    assert_int_equal(pthread_create(&thread, NULL, scratch_of_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &other), 0);
    assert_non_null(other);
    assert_ptr_not_equal(other, mine);
    assert_true(mine[999] == 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_stays),
        cmocka_unit_test(too_much),
        cmocka_unit_test(threads_have_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
