/*
 * What a fuzz target is: libFuzzer's interface (https://llvm.org/docs/LibFuzzer.html), so that
 * targets run under it as they are. main.c drives them without clang.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Does with the input what the target is for; what is wrong ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Changes an input of at most max bytes in place and returns its new size. May use ...Mutate. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* Changes bytes at random. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

#endif
