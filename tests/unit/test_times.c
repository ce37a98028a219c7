/* Medians of measured times. */
#include "cmocka_all.h"

#include "base/times.h"

static void the_middle_one_counts(void **state) {
    (void)state;
    double one[] = {4}, odd[] = {5, 1, 9}, even[] = {8, 2, 4, 6};
    assert_true(gdrq_times_of(one, 1).median == 4 && gdrq_times_of(one, 1).least == 4);
    assert_true(gdrq_times_of(odd, 3).median == 5 && gdrq_times_of(odd, 3).least == 1);
    assert_true(gdrq_times_of(even, 4).median == 6 && gdrq_times_of(even, 4).least == 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_middle_one_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
