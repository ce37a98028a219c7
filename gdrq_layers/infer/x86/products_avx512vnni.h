/* Sums of products on AVX-512 with VNNI: VPDPBUSD adds four of them at a time, of any bits. */
#ifndef GDRQ_INFER_X86_PRODUCTS_AVX512VNNI_H
#define GDRQ_INFER_X86_PRODUCTS_AVX512VNNI_H

#include "infer/x86/vector_avx512vnni.h"

#include "infer/x86/tile.h"

extern multiply_table gdrq_multiply_avx512vnni;

#endif
