#include "image/axis.h"

#include <math.h>
#include <stdio.h>

/* mantissa * 10^exponent, correctly rounded: powers of ten with a positive exponent are exact. */
static double scaled(double mantissa, int exponent) {
    return exponent < 0 ? mantissa / pow(10, -exponent) : mantissa * pow(10, exponent);
}

/* Far above the denormal numbers, which have few digits. */
static const double smallest_span = 1e-290;

/* Multiples of mantissa * 10^exponent; how many there are, of which at most `most` are written. */
static int fill_linear(axis *a, double mantissa, int exponent, int most) {
    a->step = scaled(mantissa, exponent);
    /* The ends themselves are ticks even if rounding puts them a hair outside. */
    const double first = ceil(a->from / a->step - 1e-9), last = floor(a->to / a->step + 1e-9);
    const double n = last - first + 1;
    if (n > most)
        return most + 1;
    a->n_ticks = 0;
    for (double k = first; k <= last; k++)
        a->ticks[a->n_ticks++] = scaled(k * mantissa, exponent) + 0.; /* -0 becomes 0 */
    return a->n_ticks;
}

axis axis_linear(double from, double to, int most) {
    static const double mantissas[] = {1, 2, 5};
    axis a = {.from = from, .to = to};
    /* Between narrower ends a double can't tell ticks apart. */
    const double size = fmax(fabs(from), fabs(to));
    if (!(to - from > fmax(1e-9 * size, smallest_span))) {
        const double half = size > smallest_span ? size / 10 : 1;
        a.from = from - half;
        a.to = from + half;
    }
    /* Steps from far too small to too large: the first that fits is the finest. */
    int exponent = (int)floor(log10((a.to - a.from) / most)) - 1;
    for (int i = 0; fill_linear(&a, mantissas[i], exponent, most) > most;)
        if (++i == 3) {
            i = 0;
            exponent++;
        }
    return a;
}

/* The mantissas times every `decades`-th power of ten; false if these are more than `most`. */
static bool fill_logarithmic(axis *a, const double *mantissas, int n, int decades, int most) {
    const int first = (int)floor(log10(a->from)), last = (int)ceil(log10(a->to));
    a->n_ticks = 0;
    for (int exponent = first; exponent <= last; exponent++) {
        if (exponent % decades)
            continue;
        for (int i = 0; i < n; i++) {
            const double tick = scaled(mantissas[i], exponent);
            if (tick < a->from * (1 - 1e-9) || tick > a->to * (1 + 1e-9))
                continue;
            if (a->n_ticks == most)
                return false;
            a->ticks[a->n_ticks++] = tick;
        }
    }
    return true;
}

axis axis_logarithmic(double from, double to, int most) {
    static const double one_two_five[] = {1, 2, 5}, one_three[] = {1, 3};
    axis a = {.from = from, .to = to, .logarithmic = true};
    if (!(to > from * (1 + 1e-9))) {
        a.from = from / 2;
        a.to = from * 2;
    }
    if (fill_logarithmic(&a, one_two_five, 3, 1, most) ||
        fill_logarithmic(&a, one_three, 2, 1, most))
        return a;
    int decades = 1;
    while (!fill_logarithmic(&a, one_two_five, 1, decades, most))
        decades++;
    return a;
}

float axis_at(const axis *a, double value) {
    const double inside = fmin(fmax(value, a->from), a->to);
    const double share = a->logarithmic ? log(inside / a->from) / log(a->to / a->from)
                                        : (inside - a->from) / (a->to - a->from);
    return (float)(a->begin + share * (a->end - a->begin));
}

/* Whether all ticks are whole multiples of `unit`. */
static bool all_multiples(const axis *a, double unit) {
    for (int i = 0; i < a->n_ticks; i++)
        if (fmod(a->ticks[i], unit) != 0)
            return false;
    return true;
}

static double largest(const axis *a) {
    return a->n_ticks ? fmax(fabs(a->ticks[0]), fabs(a->ticks[a->n_ticks - 1])) : 0;
}

static void linear_label(const axis *a, double tick, char label[AXIS_LABEL_SIZE]) {
    const double most = largest(a);
    if (most >= 1e15 || (most > 0 && most < 1e-5))
        snprintf(label, AXIS_LABEL_SIZE, "%.6g", tick);
    else if (most >= 1e6 && all_multiples(a, 1e5))
        snprintf(label, AXIS_LABEL_SIZE, all_multiples(a, 1e6) ? "%.0fM" : "%.1fM", tick / 1e6);
    else if (most >= 1e4 && all_multiples(a, 1e3))
        snprintf(label, AXIS_LABEL_SIZE, "%.0fk", tick / 1e3);
    else
        snprintf(label, AXIS_LABEL_SIZE, "%.*f", (int)fmax(0, -floor(log10(a->step) + 1e-9)), tick);
}

void axis_label(const axis *a, int i, char label[AXIS_LABEL_SIZE]) {
    const double tick = a->ticks[i];
    if (tick == 0)
        snprintf(label, AXIS_LABEL_SIZE, "0");
    else if (!a->logarithmic)
        linear_label(a, tick, label);
    else if (tick >= 1e4 && tick < 1e6)
        snprintf(label, AXIS_LABEL_SIZE, "%.0fk", tick / 1e3);
    else
        snprintf(label, AXIS_LABEL_SIZE, "%.6g", tick);
}
