#include "infer/peak.h"

#include "base/seconds.h"

#if defined(__x86_64__)
static double measure(void (*run)(long rounds)) {
    const long rounds = 2000000;
    double best = 0;
    for (int trial = 0; trial < 8; trial++) {
        int threads = 0;
        const double start = gdrq_seconds();
#pragma omp parallel reduction(+ : threads)
        {
            run(rounds);
            threads++;
        }
        const double rate = (double)rounds * GDRQ_PEAK_ROUND * threads / (gdrq_seconds() - start);
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
