/* Bits for all layers of a network, chosen for a budget from the errors of its single layers. */
#ifndef SENSITIVITY_PROPOSAL_H
#define SENSITIVITY_PROPOSAL_H

#include "sensitivity/sensitivity.h"

/* Exactly one of size, bits_mean and error is above 0, or none: then nothing is proposed. */
typedef struct budget {
    double size;      /* bytes of packed weights, scales and biases at most */
    double bits_mean; /* of all weights at most */
    double error;     /* of all layers together at most, as measured, with little size */
    bool activations; /* with error: choose 4 or 8 bits for activations, too */
} budget;

bool budget_is_given(const budget *b);

enum { PROPOSAL_CHOSEN, PROPOSAL_MOST_ROWS = 6 }; /* the chosen row is the first */

/* A choice of bits for all layers and what it comes to. */
typedef struct proposal_row {
    const char *name;
    layer_bits *bits;
    double bytes, mean_bits;
    double predicted; /* sensitivity_sum(): NAN if one of the errors was not measured */
    double measured;  /* NAN: not yet */
} proposal_row;

typedef struct proposal {
    proposal_row rows[PROPOSAL_MOST_ROWS]; /* the chosen bits, and others to compare them with */
    int n;                                 /* 0: nothing was to be proposed */
} proposal;

/* Refuses a size or a mean that even the fewest of the bits to measure are above. */
gdrq_status budget_check(const budget *b, const sensitivity *s, gdrq_error *err);

/*
 * Chooses; errors of single layers are taken to add up. Weights get the measured bits that
 * allocate() finds. Activations keep the bits of the cfg; with b->activations their errors may take
 * up to half of what is allowed, and as many multiply-accumulates as that allows read 4 bits. A
 * budget for the error is kept by what all layers are measured to cost together: what single errors
 * may add up to is searched for it. One that can't be kept is an error that says what the least is.
 * Free with proposal_free(), whatever it returns.
 */
gdrq_status proposal_choose(proposal *p, sensitivity *s, const budget *b, gdrq_error *err);

/* Measures the rows that are not yet measured. */
gdrq_status proposal_measure(proposal *p, sensitivity *s, gdrq_error *err);

void proposal_free(proposal *p);

#endif
