#include "primitives/scratch.h"

#include "base/alloc.h"
#include "base/status.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { ALIGNMENT = 64 };

typedef struct thread_buffer {
    void *allocation;
    float *aligned;
    size_t floats;
} thread_buffer;

static _Thread_local thread_buffer buffer;
/* Its only use is to call free_buffer() when a thread ends. */
static pthread_key_t at_thread_end;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool key_made;

static void free_buffer(void *allocation) {
    free(allocation);
    buffer = (thread_buffer){0};
}

static void make_key(void) {
    key_made = pthread_key_create(&at_thread_end, free_buffer) == 0;
}

/* Frees the old buffer first: its content is of no use, and both need not fit together. */
static bool grow(size_t floats) {
    free(buffer.allocation);
    buffer = (thread_buffer){0};
    pthread_setspecific(at_thread_end, NULL);
    if (floats > SIZE_MAX / sizeof(float) - ALIGNMENT)
        return false;
    void *allocation = gdrq_alloc(floats * sizeof(float) + ALIGNMENT, 1);
    if (!allocation || pthread_setspecific(at_thread_end, allocation) != 0) {
        free(allocation);
        return false;
    }
    const size_t beyond = (uintptr_t)allocation % ALIGNMENT;
    buffer = (thread_buffer){
        .allocation = allocation,
        .aligned = (void *)((char *)allocation + (ALIGNMENT - beyond)),
        .floats = floats,
    };
    return true;
}

float *gdrq_scratch(size_t floats, gdrq_error *err) {
    if (buffer.allocation && floats <= buffer.floats)
        return buffer.aligned;
    pthread_once(&key_once, make_key);
    if (key_made && grow(floats))
        return buffer.aligned;
    gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu values of a layer", floats);
    return NULL;
}
