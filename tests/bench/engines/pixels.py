"""The pixels of tests/bench/inputs.h."""

import numpy


def random_pixels(shape, seed=1):
    count, state = int(numpy.prod(shape)), seed
    codes = bytearray(count)
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        codes[i] = state >> 56
    return (numpy.frombuffer(codes, numpy.uint8).astype(numpy.float32) / 255).reshape(shape)
