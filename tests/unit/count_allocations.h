/*
 * Counts allocations, frees and locks. The linker puts the functions below into the place of the C
 * library's (see the Makefile), for our code and neither for the host's nor for OpenMP's.
 */
#ifndef TESTS_COUNT_ALLOCATIONS_H
#define TESTS_COUNT_ALLOCATIONS_H

#include "cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_int allocations, frees, locks;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *memory);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

void *__wrap_malloc(size_t size) {
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    allocations++;
    return __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    allocations++;
    return __real_aligned_alloc(alignment, size);
}

/* Of nothing it is nothing. */
void __wrap_free(void *memory) {
    frees += memory != NULL;
    __real_free(memory);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex) {
    locks++;
    return __real_pthread_mutex_lock(mutex);
}

static inline void count_anew(void) {
    allocations = frees = locks = 0;
}

static inline void assert_nothing_counted(void) {
    assert_int_equal(allocations, 0);
    assert_int_equal(frees, 0);
    assert_int_equal(locks, 0);
}

#endif
