/* What a number of [segmentation]'s truth stands for, on the CPU and in CUDA kernels. */
#ifndef GDRQ_PRIMITIVES_SEGMENTATION_CLASS_H
#define GDRQ_PRIMITIVES_SEGMENTATION_CLASS_H

#include "base/everywhere.h"

/* -1: void. Comparing numbers, as a NaN or a huge one must not become an index. */
GDRQ_EVERYWHERE int gdrq_segmentation_class(float truth, int classes) {
    return truth >= 0 && truth < (float)classes ? (int)truth : -1;
}

#endif
