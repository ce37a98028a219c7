#include "infer/x86/products_avx2.h"

/* On Zen 3. */
#define CYCLES_OF_PRODUCT 4.4
#define CYCLES_OF_BLOCK 210.
#define CYCLES_OF_CHANNEL 1.2
#define MULTIPLY_TABLE gdrq_multiply_avx2_narrow

/* All of them: a sum goes on from step to step of one tile. */
static int panel_of(int channels) {
    return channels;
}

/* ---- how much 16 bits hold ---- */

enum { MOST_STEPS = 64, SUMS = 2 * FILTERS /* of 16 bits in a step */ };

/* By sums: what the positive weights, and the negative ones, of some steps add up to. */
typedef struct weight_sums {
    int16_t up[MOST_STEPS][SUMS], down[MOST_STEPS][SUMS];
} weight_sums;

static void take_weights(const int8_t *weights, int lanes, int steps, weight_sums *s) {
    for (int i = 0; i < steps; i++)
        for (int k = 0; k < lanes; k++) {
            const int8_t *pair = weights + 2 * (i * lanes + k);
            s->up[i][k] = (int16_t)((pair[0] > 0 ? pair[0] : 0) + (pair[1] > 0 ? pair[1] : 0));
            s->down[i][k] = (int16_t)((pair[0] < 0 ? -pair[0] : 0) + (pair[1] < 0 ? -pair[1] : 0));
        }
}

static int largest(const weight_sums *s, int lanes, int n) {
    int most = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < lanes; k++) {
            most = s->up[i][k] > most ? s->up[i][k] : most;
            most = s->down[i][k] > most ? s->down[i][k] : most;
        }
    return most;
}

/* Two by two; a last one stays as it is. The number of sums that are left. */
static int add_neighbours(weight_sums *s, int lanes, int n) {
    for (int i = 0; i < n; i += 2)
        for (int k = 0; k < lanes; k++) {
            s->up[i / 2][k] = (int16_t)(s->up[i][k] + (i + 1 < n ? s->up[i + 1][k] : 0));
            s->down[i / 2][k] = (int16_t)(s->down[i][k] + (i + 1 < n ? s->down[i + 1][k] : 0));
        }
    return (n + 1) / 2;
}

/*
 * What a sum of 16 bits can come to is decided by the weights themselves, codes being 0..largest:
 * the most steps, a power of two, of which every run that begins at a multiple of them stays
 * within INT16_MAX both ways.
 */
static int narrow_steps(const int8_t *weights, int vectors, int steps, int largest_code) {
    const int lanes = 2 * vectors * LANES, bound = INT16_MAX / largest_code;
    int best = MOST_STEPS;
    for (int first = 0; first < steps; first += MOST_STEPS) {
        weight_sums s;
        int n = min_int(MOST_STEPS, steps - first), together = 1;
        take_weights(weights + (size_t)first * (size_t)(2 * lanes), lanes, n, &s);
        while (n > 1) {
            n = add_neighbours(&s, lanes, n);
            if (largest(&s, lanes, n) > bound)
                break;
            together *= 2;
        }
        /* Runs that reach the end may be as long as any. */
        if (n > 1 || largest(&s, lanes, n) > bound)
            best = min_int(best, together);
    }
    return best;
}

/* VPMADDUBSW saturates. */
static bool a_pair_fits(const gdrq_conv_limits *limits) {
    return 2 * 4 * limits->code * 9 * limits->weight <= INT16_MAX;
}

#include "infer/x86/winograd.h"

WINOGRAD_KERNEL(gdrq_conv_avx2_winograd, "avx2 winograd", GDRQ_CPU_AVX2)
