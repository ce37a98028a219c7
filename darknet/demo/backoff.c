#include "demo/backoff.h"

static const double shortest = .5, longest = 8;

double backoff_next(backoff *b) {
    b->last = b->last > 0 ? 2 * b->last : shortest;
    if (b->last > longest)
        b->last = longest;
    return b->last;
}

void backoff_reset(backoff *b) {
    b->last = 0;
}
