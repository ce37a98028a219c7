#include "infer/x86/vector_avx512vnni.h"

/* The compiler takes them neither out of the loop nor for the same as those before. */
INLINE ints plus_products(ints sums, ints x, ints w) {
    __asm__ volatile("vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(x), "x"(w));
    return sums;
}

#include "infer/x86/peak_rounds.h"

int gdrq_peak_avx512vnni(long rounds) {
    return run_rounds(rounds);
}
