#include "infer/x86/products_avx512vnni.h"

/* Four bytes of codes by four of weights. */
INLINE ints add_products(ints sums, ints codes, ints weights) {
    return _mm512_dpbusd_epi32(sums, codes, weights);
}

#include "infer/x86/products.h"

#define multiply_vnni multiply_at_once
MULTIPLY(vnni, 1)
MULTIPLY(vnni, 2)
MULTIPLY(vnni, 3)
MULTIPLY(vnni, 4)
MULTIPLY(vnni, 5)
MULTIPLY(vnni, 6)
MULTIPLY(vnni, 7)
MULTIPLY(vnni, 8)
MULTIPLY(vnni, 9)
MULTIPLY(vnni, 10)
MULTIPLY(vnni, 11)
MULTIPLY(vnni, 12)
MULTIPLY(vnni, 13)
MULTIPLY(vnni, 14)

#define TABLE(v)                                                                            \
    {                                                                                       \
        vnni_1_##v, vnni_2_##v, vnni_3_##v, vnni_4_##v, vnni_5_##v, vnni_6_##v, vnni_7_##v, \
            vnni_8_##v, vnni_9_##v, vnni_10_##v, vnni_11_##v, vnni_12_##v, vnni_13_##v,     \
            vnni_14_##v                                                                     \
    }
multiply_table gdrq_multiply_avx512vnni = {TABLE(1), TABLE(2)};
