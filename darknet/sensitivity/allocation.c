#include "sensitivity/allocation.h"

#include <math.h>

/* Sums of costs that differ by rounding alone are equal. */
static const double rounding = 1e-12;

double allocation_cost(const allocation_item *items, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += items[i].choices[items[i].chosen].cost;
    return sum;
}

double allocation_loss(const allocation_item *items, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += items[i].choices[items[i].chosen].loss;
    return sum;
}

static bool is_before(const allocation_choice *a, const allocation_choice *b) {
    return a->cost < b->cost || (a->cost == b->cost && a->loss < b->loss);
}

static int cheapest(const allocation_item *item) {
    int best = 0;
    for (int k = 1; k < item->n; k++)
        if (is_before(&item->choices[k], &item->choices[best]))
            best = k;
    return best;
}

/* The dearer choice that loss falls to most per cost; of equal ones the dearest. -1: none is
 * better. */
static int next_on_hull(const allocation_item *item, int from) {
    const allocation_choice *a = &item->choices[from];
    int next = -1;
    double best = 0;
    for (int k = 0; k < item->n; k++) {
        const allocation_choice *b = &item->choices[k];
        if (!(b->cost > a->cost && b->loss < a->loss))
            continue;
        const double gain = (a->loss - b->loss) / (b->cost - a->cost);
        if (next < 0 || gain > best || (gain == best && b->cost > item->choices[next].cost)) {
            best = gain;
            next = k;
        }
    }
    return next;
}

int allocation_hull(const allocation_item *item, int hull[ALLOCATION_MOST_CHOICES]) {
    int n = 0;
    for (int at = cheapest(item); at >= 0; at = next_on_hull(item, at))
        hull[n++] = at;
    return n;
}

/* A change of one item's choice. */
typedef struct change {
    int item, to; /* item -1: none */
    double gain;
} change;

static change best_step(const allocation_item *items, int n, double left) {
    change best = {.item = -1};
    for (int i = 0; i < n; i++) {
        const allocation_choice *now = &items[i].choices[items[i].chosen];
        const int to = next_on_hull(&items[i], items[i].chosen);
        if (to < 0)
            continue;
        const double cost = items[i].choices[to].cost - now->cost;
        const double gain = (now->loss - items[i].choices[to].loss) / cost;
        if (cost <= left && (best.item < 0 || gain > best.gain))
            best = (change){i, to, gain};
    }
    return best;
}

/* Any choice that the rest of the budget allows. */
static change best_change(const allocation_item *items, int n, double left) {
    change best = {.item = -1};
    for (int i = 0; i < n; i++) {
        const allocation_choice *now = &items[i].choices[items[i].chosen];
        for (int k = 0; k < items[i].n; k++) {
            const double gain = now->loss - items[i].choices[k].loss;
            if (items[i].choices[k].cost - now->cost <= left && gain > best.gain)
                best = (change){i, k, gain};
        }
    }
    return best;
}

typedef change find_change(const allocation_item *items, int n, double left);

static void change_while_possible(allocation_item *items, int n, double budget, find_change *find) {
    for (;;) {
        const change c = find(items, n, budget - allocation_cost(items, n));
        if (c.item < 0)
            return;
        items[c.item].chosen = c.to;
    }
}

bool allocate(allocation_item *items, int n, double budget) {
    for (int i = 0; i < n; i++)
        items[i].chosen = cheapest(&items[i]);
    budget += rounding * fabs(budget);
    if (allocation_cost(items, n) > budget)
        return false;
    change_while_possible(items, n, budget, best_step);
    change_while_possible(items, n, budget, best_change);
    return true;
}
