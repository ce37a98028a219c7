/* What tests can see and do with an emulated device only. On a real one nothing is counted and
   memory has its own limits: there these checks pass, and tests that are about them are skipped. */
#ifndef TESTS_CUDA_DEVICE_WATCH_H
#define TESTS_CUDA_DEVICE_WATCH_H

#include <cuda_runtime.h>

#include "device_array.h"

#include "infer/cuda/conv.h"

/* 75 for 7.5. */
static inline int code_capability() {
    int capability = 0;
    gdrq_error err;
    ASSERT_OK(gdrq_cuda_code_capability(&capability, &err));
    return capability;
}

#ifdef TESTS_CUDA_EMULATION_CUDA_RUNTIME_H

static inline void skip_on_a_real_device() {
}
/* Times that the host waited for the device. */
static inline unsigned long waits_so_far() {
    return emulation::synchronisations;
}
static inline void assert_waits(unsigned long before, unsigned long times) {
    assert_int_equal(emulation::synchronisations - before, times);
}
static inline size_t memory_in_use() {
    return emulation::memory_in_use;
}
static inline void assert_memory_in_use(size_t bytes) {
    assert_int_equal(emulation::memory_in_use, bytes);
}
static inline void limit_memory(size_t bytes) {
    emulation::memory_limit = bytes;
}
static inline bool is_device_memory(const void *pointer) {
    return emulation::is_device_memory(pointer);
}
/* Graphs that ran, and streams and graphs that exist. */
static inline unsigned long launches_so_far() {
    return emulation::graph_launches;
}
static inline void assert_launches(unsigned long before, unsigned long times) {
    assert_int_equal(emulation::graph_launches - before, times);
}
static inline unsigned long handles_in_use() {
    return emulation::handles;
}
static inline void assert_handles_in_use(unsigned long handles) {
    assert_int_equal(emulation::handles, handles);
}
/* Compute capabilities to test; what comes between has the code be for that one, as older code is
   that the driver translates for the device. */
static inline std::vector<int> capabilities_to_test() {
    return {75, 61};
}
static inline void set_code_capability(int capability) {
    emulation::code_capability = capability;
}

#else

static inline void skip_on_a_real_device() {
    skip();
}
static inline unsigned long waits_so_far() {
    return 0;
}
static inline void assert_waits(unsigned long, unsigned long) {
}
static inline size_t memory_in_use() {
    return 0;
}
static inline void assert_memory_in_use(size_t) {
}
static inline void limit_memory(size_t) {
}
static inline bool is_device_memory(const void *pointer) {
    cudaPointerAttributes of;
    return cudaPointerGetAttributes(&of, pointer) == cudaSuccess && of.type == cudaMemoryTypeDevice;
}
static inline unsigned long launches_so_far() {
    return 0;
}
static inline void assert_launches(unsigned long, unsigned long) {
}
static inline unsigned long handles_in_use() {
    return 0;
}
static inline void assert_handles_in_use(unsigned long) {
}
static inline std::vector<int> capabilities_to_test() {
    return {code_capability()};
}
static inline void set_code_capability(int) {
}

#endif

#endif
