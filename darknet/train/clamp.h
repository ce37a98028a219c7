/* Limits of numbers that are never NaN. */
#ifndef DARKNET_TRAIN_CLAMP_H
#define DARKNET_TRAIN_CLAMP_H

/* fminf() and fmaxf() are calls, for the sake of NaN; these are instructions. */
static inline float least(float a, float b) {
    return a < b ? a : b;
}

static inline float most(float a, float b) {
    return a > b ? a : b;
}

static inline float clamp(float x, float low, float high) {
    return least(most(x, low), high);
}

#endif
