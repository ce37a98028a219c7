#include "infer/peak.h"

#include "base/seconds.h"

#if defined(__x86_64__)
static double measure(int (*run)(long rounds)) {
    const long rounds = 2000000;
    double best = 0;
    for (int trial = 0; trial < 8; trial++) {
        double macs = 0; /* of a round on all threads */
        const double start = gdrq_seconds();
#pragma omp parallel reduction(+ : macs)
        macs += run(rounds);
        const double rate = (double)rounds * macs / (gdrq_seconds() - start);
        best = rate > best ? rate : best;
    }
    return best;
}
#endif

double gdrq_peak_macs(gdrq_cpu level) {
#if defined(__x86_64__)
    if (level >= GDRQ_CPU_AVX512VNNI)
        return measure(gdrq_peak_avx512vnni);
    if (level >= GDRQ_CPU_AVX2)
        return measure(gdrq_peak_avx2);
#endif
    (void)level;
    return 0;
}
