/*
 * Non-maximum suppression: the host's do_nms_sort() and do_nms_obj() without moving detections and
 * without sorting all of them for each class.
 *
 * Of two boxes whose overlap (IoU) is above the threshold the one with the lesser score goes; of
 * equal scores, the later one. Boxes of objectness 0 count as not there, as in the host.
 */
#ifndef GDRQ_PRIMITIVES_SUPPRESSION_H
#define GDRQ_PRIMITIVES_SUPPRESSION_H

#include <stddef.h>

#include "darknet.h"
#include "gdrq.h"

/* Bytes of memory that suppressing among n boxes needs on so many threads. */
size_t gdrq_suppression_bytes(int n, int threads);

/*
 * Class by class: sets prob[k] of what is suppressed to 0. `memory` is 64-byte aligned and holds
 * gdrq_suppression_bytes() for this n and at least as many threads.
 */
void gdrq_suppress_by_class(detection *found, int n, int classes, float thresh, int threads,
                            void *memory);

/* The same with memory and threads of its own. */
gdrq_status gdrq_suppress(detection *found, int n, int classes, float thresh, gdrq_error *err);

/* For all classes at once, by objectness, which is set to 0 as all of prob is. One thread. */
void gdrq_suppress_by_objectness(detection *found, int n, int classes, float thresh, void *memory);

#endif
