/* Arrays in the GPU's memory, for tests of kernels. They run on the emulated device, too. */
#ifndef TESTS_CUDA_GPU_ARRAYS_H
#define TESTS_CUDA_GPU_ARRAYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
extern "C" {
#include <cmocka.h>
}

#include <vector>

#include <cuda_runtime.h>

#include "base/cuda/device.h"

static inline void check_status(gdrq_status status, const gdrq_error *err) {
    if (status != GDRQ_OK)
        fail_msg("%s", err->message);
}

/* Bytes without room for more: emulated, the address sanitiser sees what is read beyond them. */
class gpu_bytes {
  public:
    gpu_bytes(const void *from, size_t n) {
        check_status(gdrq_device_alloc(&memory, n, 1, "a test", &err), &err);
        check_status(gdrq_device_push(memory, from, n, &err), &err);
    }
    ~gpu_bytes() {
        gdrq_device_free(memory);
    }
    gpu_bytes(const gpu_bytes &) = delete;
    void *at() {
        return memory;
    }

  private:
    void *memory;
    gdrq_error err;
};

template <class T> class gpu_input : public gpu_bytes {
  public:
    explicit gpu_input(const std::vector<T> &values)
        : gpu_bytes(values.data(), values.size() * sizeof(T)) {
    }
    operator T *() {
        return (T *)at();
    }
};

/* n values between guards, filled with what no result should keep unless they are given. */
template <class T> class gpu_output {
  public:
    explicit gpu_output(size_t n) : bytes(n * sizeof(T)), all(filled(bytes)) {
    }
    explicit gpu_output(const std::vector<T> &values) : gpu_output(values.size()) {
        check_status(gdrq_device_push((T *)*this, values.data(), bytes, &err), &err);
    }
    operator T *() {
        return (T *)((uint8_t *)all.at() + GUARD);
    }
    std::vector<T> pull(const char *what) {
        std::vector<uint8_t> pulled(bytes + 2 * GUARD);
        check_status(gdrq_device_pull(pulled.data(), all.at(), pulled.size(), &err), &err);
        for (size_t i = 0; i < GUARD; ++i)
            if (pulled[i] != BYTE || pulled[GUARD + bytes + i] != BYTE)
                fail_msg("%s: written outside of %zu bytes", what, bytes);
        std::vector<T> values(bytes / sizeof(T));
        memcpy(values.data(), pulled.data() + GUARD, bytes);
        return values;
    }

  private:
    enum { GUARD = 64, BYTE = 0xa5 };
    static gpu_bytes filled(size_t bytes) {
        const std::vector<uint8_t> guards(bytes + 2 * GUARD, BYTE);
        return gpu_bytes(guards.data(), guards.size());
    }
    size_t bytes;
    gpu_bytes all;
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
