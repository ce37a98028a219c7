#include "infer/peak.h"

#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
static double measure(void (*run)(long rounds)) {
    const long rounds = 2000000;
    double best = 0;
    for (int trial = 0; trial < 8; trial++) {
        int threads = 0;
        const double start = now();
#pragma omp parallel reduction(+ : threads)
        {
            run(rounds);
            threads++;
        }
        const double rate = (double)rounds * GDRQ_PEAK_ROUND * threads / (now() - start);
        best = rate > best ? rate : best;
    }
    return best;
}
#endif

double gdrq_peak_macs(gdrq_cpu level) {
#if defined(__x86_64__)
    if (level >= GDRQ_CPU_AVX2)
        return measure(gdrq_peak_avx2);
#endif
    (void)level;
    return 0;
}
