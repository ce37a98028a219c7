/*
 * The GPU's memory, and CUDA's errors as statuses. All on the default stream of the thread's
 * current device, as all of the host's work is, but for what is recorded (base/cuda/graph.h).
 */
#ifndef GDRQ_BASE_CUDA_DEVICE_H
#define GDRQ_BASE_CUDA_DEVICE_H

#include <stddef.h>

#include "gdrq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* GDRQ_OK for cudaSuccess, else GDRQ_ERROR_DEVICE with CUDA's word for it and the place. */
gdrq_status gdrq_device_check(int error, const char *file, int line, gdrq_error *err);
#define GDRQ_CHECK_CUDA(call, err) gdrq_device_check((call), __FILE__, __LINE__, err)

/*
 * *memory = count * size bytes, not cleared; NULL on failure. `what` says what it is for: where
 * memory is out, the message names it and what to change in the cfg.
 */
gdrq_status gdrq_device_alloc(void **memory, size_t count, size_t size, const char *what,
                              gdrq_error *err);
/* The same for a network that only infers: subdivisions would not help it. */
gdrq_status gdrq_device_alloc_to_infer(void **memory, size_t count, size_t size, const char *what,
                                       gdrq_error *err);
/* What fails here is what earlier work on the device has left, which the next call reports as well.
 */
void gdrq_device_free(void *memory);

/* Of the host's memory, which the device copies from without help; NULL on failure. */
gdrq_status gdrq_pinned_alloc(void **memory, size_t bytes, const char *what, gdrq_error *err);
void gdrq_pinned_free(void *memory);

/* The compute capability of device number `device`: 75 is 7.5. */
gdrq_status gdrq_device_capability(int device, int *capability, gdrq_error *err);

/* How many multiprocessors the current device has. */
gdrq_status gdrq_device_multiprocessors(int *n, gdrq_error *err);

/* Waits until all that was queued is done. */
gdrq_status gdrq_device_wait(gdrq_error *err);

/* Only queued; the host does not wait. */
gdrq_status gdrq_device_clear(void *memory, size_t bytes, gdrq_error *err);
gdrq_status gdrq_device_copy(void *to, const void *from, size_t bytes, gdrq_error *err);

/* To the device and back. The host waits until all that was queued before is done. */
gdrq_status gdrq_device_push(void *to, const void *from, size_t bytes, gdrq_error *err);
gdrq_status gdrq_device_pull(void *to, const void *from, size_t bytes, gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
