/* The numbers of a network's arrays, one after the other, for tests. */
#ifndef TESTS_NETWORK_NUMBERS_H
#define TESTS_NETWORK_NUMBERS_H

#include <stdlib.h>
#include <string.h>

#include "darknet.h"
#include "gdrq.h"

/* Free the values. */
typedef struct numbers {
    float *values;
    size_t n;
} numbers;

/* A gdrq_visit. */
static inline void append_numbers(void *user, float *data, size_t n) {
    numbers *of = user;
    of->values = realloc(of->values, (of->n + n) * sizeof *data);
    memcpy(of->values + of->n, data, n * sizeof *data);
    of->n += n;
}

static inline numbers numbers_of(const network *net, gdrq_arrays which) {
    numbers of = {0};
    gdrq_network_arrays(net, which, append_numbers, &of);
    return of;
}

#endif
