/* Bits for a budget: hulls, and choices against all that there are. */
#include "cmocka_all.h"

#include "random_data.h"
#include "sensitivity/allocation.h"
#include "sensitivity/bits.h"

#include <math.h>
#include <string.h>

enum { MOST_ITEMS = 5 };

static allocation_item item_of(const allocation_choice *choices, int n) {
    allocation_item item = {.n = n};
    for (int i = 0; i < n; i++)
        item.choices[i] = choices[i];
    return item;
}

static void hull_is(const allocation_choice *choices, int n, const int *expected, int length) {
    int hull[ALLOCATION_MOST_CHOICES];
    const allocation_item item = item_of(choices, n);
    assert_int_equal(allocation_hull(&item, hull), length);
    for (int i = 0; i < length; i++)
        assert_int_equal(hull[i], expected[i]);
}

static void hulls_are_lower_and_convex(void **state) {
    (void)state;
    const allocation_choice convex[] = {{2, 16}, {3, 4}, {4, 1}, {8, 0}};
    hull_is(convex, 4, (const int[]){0, 1, 2, 3}, 4);
    const allocation_choice dented[] = {{2, 16}, {3, 15}, {4, 1}, {8, 0}};
    hull_is(dented, 4, (const int[]){0, 2, 3}, 3);
    const allocation_choice rising[] = {{2, 1}, {3, 5}, {4, 2}, {8, 1}};
    hull_is(rising, 4, (const int[]){0}, 1);
    const allocation_choice line[] = {{0, 2}, {1, 1}, {2, 0}};
    hull_is(line, 3, (const int[]){0, 2}, 2);
    const allocation_choice same_cost[] = {{1, 3}, {1, 2}, {2, -1}, {2, 1}};
    hull_is(same_cost, 4, (const int[]){1, 2}, 2);
    const allocation_choice backwards[] = {{8, 0}, {4, 1}, {3, 4}, {2, 16}};
    hull_is(backwards, 4, (const int[]){3, 2, 1, 0}, 4);
}

static int make_items(allocation_item *items) {
    const int n = random_int(1, MOST_ITEMS);
    for (int i = 0; i < n; i++) {
        items[i] = (allocation_item){.n = random_int(1, 4)};
        double cost = random_unit(), loss = 8 * random_unit();
        for (int k = 0; k < items[i].n; k++) {
            items[i].choices[k] = (allocation_choice){cost, loss};
            cost += random_unit();
            loss *= 1.2 * random_unit(); /* it may rise */
        }
    }
    return n;
}

/* The least loss within the budget, of all combinations; INFINITY if none is within. */
static double least_loss(const allocation_item *items, int n, double budget) {
    if (n == 0)
        return budget >= 0 ? 0 : INFINITY;
    double least = INFINITY;
    for (int k = 0; k < items[0].n; k++)
        least = fmin(least, items[0].choices[k].loss +
                                least_loss(items + 1, n - 1, budget - items[0].choices[k].cost));
    return least;
}

static double largest_step(const allocation_item *items, int n) {
    double largest = 0;
    for (int i = 0; i < n; i++) {
        int hull[ALLOCATION_MOST_CHOICES];
        const int length = allocation_hull(&items[i], hull);
        for (int k = 1; k < length; k++)
            largest =
                fmax(largest, items[i].choices[hull[k - 1]].loss - items[i].choices[hull[k]].loss);
    }
    return largest;
}

static void choices_are_near_the_best(void **state) {
    (void)state;
    allocation_item items[MOST_ITEMS];
    int feasible = 0, best = 0;
    const int rounds = random_cases(4000);
    seed_random(11);
    for (int round = 0; round < rounds; round++) {
        const int n = make_items(items);
        const double budget = n * 2 * random_unit();
        const double least = least_loss(items, n, budget * (1 + 1e-11));
        const bool possible = allocate(items, n, budget);
        assert_true(possible == isfinite(least));
        if (!possible)
            continue;
        const double loss = allocation_loss(items, n);
        assert_true(allocation_cost(items, n) <= budget * (1 + 1e-9));
        assert_true(loss >= least - 1e-9);
        assert_true(loss <= least + largest_step(items, n) + 1e-9);
        feasible++;
        best += loss <= least + 1e-9;
    }
    assert_true(feasible > rounds / 2);
    assert_true(best > .8 * feasible);
}

/* Where the budget is what a step of the hulls comes to, there is nothing better. */
static void budgets_that_are_used_up_are_used_best(void **state) {
    (void)state;
    allocation_item items[MOST_ITEMS];
    const int rounds = random_cases(1000);
    seed_random(12);
    for (int round = 0; round < rounds; round++) {
        const int n = make_items(items);
        /* Items that are alike in all but size, as layers: the steps of all have one order. */
        for (int i = 1; i < n; i++) {
            items[i] = items[0];
            for (int k = 0; k < items[i].n; k++) {
                items[i].choices[k].cost *= i + 1;
                items[i].choices[k].loss *= i + 1;
            }
        }
        int hull[ALLOCATION_MOST_CHOICES];
        const int length = allocation_hull(&items[0], hull);
        double budget = 0;
        const int step = random_int(0, length - 1);
        for (int i = 0; i < n; i++)
            budget += items[i].choices[hull[step]].cost;
        assert_true(allocate(items, n, budget));
        assert_float_equal(allocation_loss(items, n), least_loss(items, n, budget * (1 + 1e-11)),
                           1e-9);
    }
}

static void the_least_costs_are_chosen_where_nothing_fits(void **state) {
    (void)state;
    allocation_item items[2];
    items[0] = item_of((const allocation_choice[]){{3, 1}, {2, 5}}, 2);
    items[1] = item_of((const allocation_choice[]){{1, 1}}, 1);
    assert_false(allocate(items, 2, 2.9));
    assert_float_equal(allocation_cost(items, 2), 3, 0);
    assert_true(allocate(items, 2, 3));
    assert_float_equal(allocation_loss(items, 2), 6, 0);
    assert_true(allocate(items, 2, 4));
    assert_float_equal(allocation_loss(items, 2), 2, 0);
}

static void lists_of_bits_are_read(void **state) {
    (void)state;
    bit_set set;
    gdrq_error err;
    assert_int_equal(bits_read("8,2,4,2", &set, &err), GDRQ_OK);
    assert_int_equal(set, 1 << 2 | 1 << 4 | 1 << 8);
    assert_int_equal(bits_count(set), 3);
    static const char *const bad[] = {"", "1", "9", "2,", ",2", "2,,3", "16", "2 3", "-2", "two"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bits_read(bad[i], &set, &err), GDRQ_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "'two' is not a list of numbers from 2 to 8"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hulls_are_lower_and_convex),
        cmocka_unit_test(choices_are_near_the_best),
        cmocka_unit_test(budgets_that_are_used_up_are_used_best),
        cmocka_unit_test(the_least_costs_are_chosen_where_nothing_fits),
        cmocka_unit_test(lists_of_bits_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
