/*
 * Streams of the emulated device: what is queued runs at once, in order, or is recorded while the
 * stream is captured. What real devices refuse during a capture is refused here.
 */
#ifndef TESTS_CUDA_EMULATION_STREAMS_H
#define TESTS_CUDA_EMULATION_STREAMS_H

#include "cuda_runtime.h"

namespace emulation {

cudaError_t queue(cudaStream_t stream, const std::function<void()> &work);

/* Whether this thread captures, in a mode that forbids what allocates, frees or waits; then the
   capture is lost, and the error is the last one. */
bool forbidden_while_captured();

} // namespace emulation

#endif
