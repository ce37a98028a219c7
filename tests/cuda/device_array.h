/* Arrays in the GPU's memory for tests, which run on the emulated device and on real ones. */
#ifndef TESTS_CUDA_DEVICE_ARRAY_H
#define TESTS_CUDA_DEVICE_ARRAY_H

#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
extern "C" {
#include <cmocka.h>
}

#include <vector>

#include "base/cuda/device.h"

/* libdarknet.so is linked with -Ofast: compilers such as gcc 12 then add a constructor that has the
   CPU flush denormals in the whole process, which no GPU does. This runs behind it and before
   main(); OpenMP's threads inherit it. */
__attribute__((constructor)) static void keep_denormals() {
    fesetenv(FE_DFL_ENV);
}

/* The test fails with the message if the call fails. */
#define ASSERT_OK(call)                  \
    do {                                 \
        if ((call) != GDRQ_OK)           \
            fail_msg("%s", err.message); \
    } while (0)

/* n values from the GPU's memory, and to it. */
template <class T> static inline std::vector<T> pulled(const T *memory, size_t n) {
    gdrq_error err;
    std::vector<T> values(n);
    ASSERT_OK(gdrq_device_pull(values.data(), memory, n * sizeof(T), &err));
    return values;
}
template <class T> static inline void push(T *memory, const std::vector<T> &values) {
    gdrq_error err;
    ASSERT_OK(gdrq_device_push(memory, values.data(), values.size() * sizeof(T), &err));
}

template <class T> class device_array {
  public:
    explicit device_array(size_t n) : n(n), memory(nullptr) {
        ASSERT_OK(gdrq_device_alloc((void **)&memory, n, sizeof(T), "a test", &err));
    }
    explicit device_array(const std::vector<T> &values) : device_array(values.size()) {
        push(values);
    }
    ~device_array() {
        gdrq_device_free(memory);
    }
    device_array(const device_array &) = delete;

    void push(const std::vector<T> &values) {
        ::push(memory, values);
    }
    std::vector<T> pull() {
        return pulled(memory, n);
    }
    operator T *() {
        return memory;
    }

  private:
    size_t n;
    T *memory;
    gdrq_error err;
};

#endif
