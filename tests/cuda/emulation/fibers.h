/*
 * How the emulated device runs a kernel: block after block on one host thread, the threads of a
 * block as fibers, each of which runs until it waits for others. What real devices leave undefined
 * is an error here: threads of a block that wait at different places, or for threads that have
 * returned.
 */
#ifndef TESTS_CUDA_EMULATION_FIBERS_H
#define TESTS_CUDA_EMULATION_FIBERS_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned nx = 1, unsigned ny = 1, unsigned nz = 1) : x(nx), y(ny), z(nz) {
    }
};

/* Of the thread that runs. */
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

namespace emulation {

enum { WARP = 32, MOST_THREADS = 1024, MOST_SHARED = 48 << 10 };

/* A kernel that no device need run as it was meant. Thrown to whoever launched it. */
struct undefined_behaviour : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/* Blocks, the warps of a block, each up to its next barrier, and the lanes of a warp run in this
   order, by default shuffled; a result that depends on it is wrong. */
enum class order { ASCENDING, DESCENDING, SHUFFLED };
extern order running_order;

void run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &kernel);

/* The block's dynamic shared memory, filled with garbage as the block starts. */
void *dynamic_shared();

/* Waits for all threads of the block, which must come to this very place. */
void wait_for_block(const char *file, int line);

/*
 * Waits for the lanes of `mask`, which must do the same operation with the same mask, and returns
 * what each of them gave; only the lanes of `mask` count. Valid until the thread waits again.
 */
const uint64_t *exchange(unsigned mask, uint64_t value, const char *operation);

/* Ends the kernel with undefined_behaviour. */
[[noreturn]] void misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

inline unsigned thread_in_block() {
    return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

inline unsigned lane() {
    return thread_in_block() % WARP;
}

} // namespace emulation

#endif
