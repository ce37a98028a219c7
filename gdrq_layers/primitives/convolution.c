#include "primitives/convolution.h"

#include "base/alloc.h"
#include "base/status.h"
#include "primitives/conv_primitive.h"

#include <omp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Training with random=1 meets about a hundred shapes per resolution and ten resolutions. The
 * least recently used primitive goes when a new one finds no place; oneDNN keeps the compiled code
 * of the last 1024 for itself, so that making one again is cheap. Tensor memory does not add up
 * over shapes: all share one buffer, as large as the most demanding call so far.
 */
enum { CACHE_SIZE = 256 };

/* oneDNN divides the work when a primitive is made: another number of threads needs another. */
typedef struct cache_key {
    gdrq_conv_shape shape;
    int direction;
    int threads;
} cache_key;

typedef struct cache_entry {
    cache_key key;
    gdrq_conv_primitive *primitive;
    uint64_t last_use;
} cache_entry;

static struct {
    pthread_mutex_t lock; /* guards all the rest, the buffer's content included */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    cache_entry entries[CACHE_SIZE];
    int n;
    uint64_t uses;
    char *allocation, *buffer; /* the buffer is the allocation's aligned part */
    size_t buffer_bytes;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

int gdrq_conv_out(const gdrq_conv_shape *shape, int in) {
    return (in + 2 * shape->pad - shape->size) / shape->stride + 1;
}

static gdrq_status check_shape(const gdrq_conv_shape *s, gdrq_error *err) {
    const bool counts = s->batch > 0 && s->c > 0 && s->h > 0 && s->w > 0 && s->n > 0 &&
                        s->groups > 0 && s->size > 0 && s->stride > 0 && s->pad >= 0;
    if (!counts || s->c % s->groups || s->n % s->groups || gdrq_conv_out(s, s->h) < 1 ||
        gdrq_conv_out(s, s->w) < 1)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "convolution of %d x %d x %d x %d (batch, c, h, w) with n=%d size=%d "
                         "stride=%d pad=%d groups=%d: sizes must be positive, groups must divide c "
                         "and n, and the output must not be empty",
                         s->batch, s->c, s->h, s->w, s->n, s->size, s->stride, s->pad, s->groups);
    return GDRQ_OK;
}

static gdrq_status ensure_engine(gdrq_error *err) {
    if (!cache.engine && dnnl_engine_create(&cache.engine, dnnl_cpu, 0) != dnnl_success)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "oneDNN: can't create a CPU engine");
    if (!cache.stream &&
        dnnl_stream_create(&cache.stream, cache.engine, dnnl_stream_default_flags) != dnnl_success)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "oneDNN: can't create a stream");
    return GDRQ_OK;
}

/* The old content is scratch: freed first, so that old and new need not fit together. */
static gdrq_status ensure_buffer(size_t bytes, gdrq_error *err) {
    if (cache.allocation && bytes <= cache.buffer_bytes)
        return GDRQ_OK;
    free(cache.allocation);
    cache.buffer_bytes = 0;
    cache.allocation = gdrq_alloc(bytes + GDRQ_CONV_ALIGNMENT, 1);
    if (!cache.allocation)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "convolution: out of memory for %zu bytes", bytes);
    const size_t beyond = (uintptr_t)cache.allocation % GDRQ_CONV_ALIGNMENT;
    cache.buffer = cache.allocation + (GDRQ_CONV_ALIGNMENT - beyond);
    cache.buffer_bytes = bytes;
    return GDRQ_OK;
}

/* A free entry, or the least recently used one, emptied. */
static cache_entry *free_entry(void) {
    if (cache.n < CACHE_SIZE)
        return &cache.entries[cache.n++];
    cache_entry *oldest = &cache.entries[0];
    for (int i = 1; i < CACHE_SIZE; i++)
        if (cache.entries[i].last_use < oldest->last_use)
            oldest = &cache.entries[i];
    gdrq_conv_primitive_free(oldest->primitive);
    return oldest;
}

static gdrq_status find_or_create(const gdrq_conv_shape *shape, gdrq_conv_direction direction,
                                  gdrq_conv_primitive **primitive, gdrq_error *err) {
    const cache_key key = {*shape, direction, omp_get_max_threads()};
    for (int i = 0; i < cache.n; i++) {
        cache_entry *entry = &cache.entries[i];
        if (memcmp(&entry->key, &key, sizeof key) == 0) {
            entry->last_use = ++cache.uses;
            *primitive = entry->primitive;
            return GDRQ_OK;
        }
    }
    const gdrq_status status =
        gdrq_conv_primitive_create(cache.engine, shape, direction, primitive, err);
    if (status == GDRQ_OK)
        *free_entry() = (cache_entry){key, *primitive, ++cache.uses};
    return status;
}

static gdrq_status run(const gdrq_conv_shape *shape, gdrq_conv_direction direction,
                       float *const plain[GDRQ_CONV_OPERANDS], gdrq_error *err) {
    gdrq_status status = check_shape(shape, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_conv_primitive *primitive = NULL;
    pthread_mutex_lock(&cache.lock);
    status = ensure_engine(err);
    if (status == GDRQ_OK)
        status = find_or_create(shape, direction, &primitive, err);
    if (status == GDRQ_OK)
        status = ensure_buffer(gdrq_conv_primitive_bytes(primitive), err);
    if (status == GDRQ_OK)
        status = gdrq_conv_primitive_execute(primitive, cache.stream, plain, cache.buffer, err);
    pthread_mutex_unlock(&cache.lock);
    return status;
}

/* oneDNN's C interface knows no const; it writes only the operand that the direction computes. */
gdrq_status gdrq_conv_forward(const gdrq_conv_shape *shape, const float *x, const float *weights,
                              float *y, gdrq_error *err) {
    return run(shape, GDRQ_CONV_FORWARD, (float *[]){(float *)x, (float *)weights, y}, err);
}

gdrq_status gdrq_conv_backward_data(const gdrq_conv_shape *shape, const float *weights,
                                    const float *dy, float *dx, gdrq_error *err) {
    return run(shape, GDRQ_CONV_BACKWARD_DATA, (float *[]){dx, (float *)weights, (float *)dy}, err);
}

gdrq_status gdrq_conv_backward_weights(const gdrq_conv_shape *shape, const float *x,
                                       const float *dy, float *dw, gdrq_error *err) {
    return run(shape, GDRQ_CONV_BACKWARD_WEIGHTS, (float *[]){(float *)x, dw, (float *)dy}, err);
}
