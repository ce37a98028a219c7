/* What kernels write to in tests, and in which order emulated threads do so. */
#ifndef TESTS_CUDA_GUARDED_ARRAY_H
#define TESTS_CUDA_GUARDED_ARRAY_H

#include <string.h>

#include <cuda_runtime.h>

#include "device_array.h"

/* n values in the GPU's memory between guards; they are what no result should keep, or given. */
template <class T> class guarded_array {
  public:
    explicit guarded_array(size_t n)
        : bytes(n * sizeof(T)), all(std::vector<uint8_t>(bytes + 2 * GUARD, BYTE)) {
    }
    explicit guarded_array(const std::vector<T> &values) : guarded_array(values.size()) {
        ASSERT_OK(gdrq_device_push((T *)*this, values.data(), bytes, &err));
    }
    operator T *() {
        return (T *)((uint8_t *)all + GUARD);
    }
    std::vector<T> pull(const char *what) {
        const std::vector<uint8_t> pulled = all.pull();
        for (size_t i = 0; i < GUARD; ++i)
            if (pulled[i] != BYTE || pulled[GUARD + bytes + i] != BYTE)
                fail_msg("%s: written outside of %zu bytes", what, bytes);
        std::vector<T> values(bytes / sizeof(T));
        if (bytes > 0)
            memcpy(values.data(), pulled.data() + GUARD, bytes);
        return values;
    }

  private:
    enum { GUARD = 64, BYTE = 0xa5 };
    size_t bytes;
    device_array<uint8_t> all;
    gdrq_error err;
};

/* Another order of threads and blocks each time, where the device is emulated. */
static inline void next_order() {
#ifdef TESTS_CUDA_EMULATION_CUDA_RUNTIME_H
    using emulation::order;
    emulation::running_order = emulation::running_order == order::ASCENDING    ? order::DESCENDING
                               : emulation::running_order == order::DESCENDING ? order::SHUFFLED
                                                                               : order::ASCENDING;
#endif
}

#endif
