/* What the arithmetic units can do at most: the yardstick of `darknet gdrq bench`. */
#ifndef GDRQ_INFER_PEAK_H
#define GDRQ_INFER_PEAK_H

#include "base/cpu.h"

/*
 * Multiply-accumulates of 8-bit numbers per second, measured on all threads together with operands
 * in registers and partial sums as the kernels of this level keep them; 0 where there is no such
 * instruction to measure. Takes a tenth of a second.
 */
double gdrq_peak_macs(gdrq_cpu level);

/* Of one thread: `rounds` rounds, and the multiply-accumulates of each. */
int gdrq_peak_avx2(long rounds);
int gdrq_peak_avx512vnni(long rounds);

#endif
