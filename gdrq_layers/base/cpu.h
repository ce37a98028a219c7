/*
 * Which instruction sets kernels may use: what the processor has and the operating system saves,
 * no more than the user allows. Levels are bundles as products have them; each has all those below.
 */
#ifndef GDRQ_BASE_CPU_H
#define GDRQ_BASE_CPU_H

#include "gdrq.h"

typedef enum gdrq_cpu {
    GDRQ_CPU_C,          /* portable C, as the compiler makes it */
    GDRQ_CPU_AVX2,       /* x86: AVX2 */
    GDRQ_CPU_AVX512VNNI, /* x86: AVX-512 F, BW, VL and VNNI */
} gdrq_cpu;

/*
 * The level in effect: the machine's or, if lower, that of gdrq_set_cpu() or, before any call of
 * that, of the environment's GDRQ_CPU (c, avx2, avx512vnni; anything else counts as not set).
 */
gdrq_cpu gdrq_cpu_level(void);

/* What the machine has. */
gdrq_cpu gdrq_cpu_detect(void);

/* As gdrq_set_cpu() spells it. */
const char *gdrq_cpu_name(gdrq_cpu level);

/* Bytes of a core's own cache, the second level; a usual number if the system doesn't tell. */
size_t gdrq_cpu_cache(void);
/* For tests of what depends on it: another number; 0: the machine's again. */
void gdrq_cpu_set_cache(size_t bytes);

#endif
