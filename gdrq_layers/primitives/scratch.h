/* One buffer per thread for results that live no longer than a layer's function. */
#ifndef GDRQ_PRIMITIVES_SCRATCH_H
#define GDRQ_PRIMITIVES_SCRATCH_H

#include "gdrq.h"

/*
 * At least `floats` floats of undefined content, 64-byte aligned; NULL with *err filled when memory
 * is out. Valid until the calling thread's next call, or its end; never freed by the caller. The
 * buffer only grows.
 */
float *gdrq_scratch(size_t floats, gdrq_error *err);

#endif
