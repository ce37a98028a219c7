#include "infer/x86/vector_avx2.h"

/* As the narrow convolution has them; the compiler takes them neither out of the loop nor for the
 * same as those before. */
INLINE ints plus_products(ints sums, ints x, ints w) {
    ints products;
    __asm__ volatile("vpmaddubsw %2, %1, %0" : "=x"(products) : "x"(x), "x"(w));
    return _mm256_add_epi16(sums, products);
}

#include "infer/x86/peak_rounds.h"

int gdrq_peak_avx2(long rounds) {
    return run_rounds(rounds);
}
