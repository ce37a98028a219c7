/* The draws of layers that drop or vary values, alike on the CPU and on the GPU. */
#ifndef GDRQ_PRIMITIVES_RANDOM_UNIT_H
#define GDRQ_PRIMITIVES_RANDOM_UNIT_H

#include <stdint.h>

#include "base/everywhere.h"

/* MurmurHash3's finaliser (Appleby): a bijection on 32 bits that mixes all of them. */
GDRQ_EVERYWHERE uint32_t gdrq_mix(uint32_t x) {
    x ^= x >> 16;
    x *= UINT32_C(0x85ebca6b);
    x ^= x >> 13;
    x *= UINT32_C(0xc2b2ae35);
    return x ^ x >> 16;
}

/* Uniform in [0, 1). The key enters between two rounds: sequences of two keys are no shifts. */
GDRQ_EVERYWHERE float gdrq_random_unit(uint32_t key, uint32_t position) {
    return (float)(int32_t)(gdrq_mix(gdrq_mix(position) ^ key) >> 8) * 0x1p-24f;
}

#endif
