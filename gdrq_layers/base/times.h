/* What repeated measurements of the same thing come to. */
#ifndef GDRQ_BASE_TIMES_H
#define GDRQ_BASE_TIMES_H

typedef struct gdrq_times {
    double median, least;
} gdrq_times;

/* Of n > 0 numbers, which get sorted; of an even number, the upper one of the middle two. */
gdrq_times gdrq_times_of(double *seconds, int n);

#endif
