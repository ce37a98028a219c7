/*
 * One choice for each of some items, so that their costs stay within a budget and their losses add
 * up to little. Pure: no network, no I/O.
 */
#ifndef SENSITIVITY_ALLOCATION_H
#define SENSITIVITY_ALLOCATION_H

#include <stdbool.h>

enum { ALLOCATION_MOST_CHOICES = 8 };

typedef struct allocation_choice {
    double cost, loss; /* finite */
} allocation_choice;

typedef struct allocation_item {
    allocation_choice choices[ALLOCATION_MOST_CHOICES];
    int n;      /* 1 or more */
    int chosen; /* by allocate() */
} allocation_item;

/*
 * The lower convex hull of the choices: their indices by rising cost and falling loss, each step
 * gaining less per cost than the one before, from the least cost to the least loss. Returns how
 * many.
 */
int allocation_hull(const allocation_item *item, int hull[ALLOCATION_MOST_CHOICES]);

/*
 * Begins with the least cost of each item and goes along the hulls, always where loss falls most
 * per cost, as long as the budget lasts; what is left of it then goes to the changes of single
 * items that gain most. The sum of losses is at most one step of a hull above the least possible,
 * and equal to it where the steps use up the budget. False if the least costs are above the budget:
 * these are then chosen.
 */
bool allocate(allocation_item *items, int n, double budget);

/* Sums over the chosen ones. */
double allocation_cost(const allocation_item *items, int n);
double allocation_loss(const allocation_item *items, int n);

#endif
