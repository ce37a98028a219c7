#include "quant/pack.h"

#include <assert.h>
#include <string.h>

/* The code that is stored as 0 is -largest(bits). */
static int largest(int bits) {
    return (1 << (bits - 1)) - 1;
}

size_t gdrq_packed_size(size_t n, int bits) {
    assert(bits >= 2 && bits <= 8);
    return n / 8 * (size_t)bits + (n % 8 * (size_t)bits + 7) / 8;
}

/*
 * Eight codes take `bits` whole bytes: the unit in which the general paths below work. The last
 * group may have fewer codes.
 */
static size_t group_length(size_t begin, size_t n) {
    return n - begin < 8 ? n - begin : 8;
}

/* The group's bytes, of which the first holds the lowest bits; the rest is 0. */
static uint64_t load_group(const uint8_t *packed, size_t codes, int bits) {
    const size_t bytes = gdrq_packed_size(codes, bits);
    uint64_t group = 0;
    for (size_t i = 0; i < bytes; ++i)
        group |= (uint64_t)packed[i] << (8 * i);
    return group;
}

void gdrq_pack(const int8_t *codes, size_t n, int bits, uint8_t *packed) {
    const int top = largest(bits);
    for (size_t begin = 0; begin < n; begin += 8, packed += bits) {
        const size_t length = group_length(begin, n), bytes = gdrq_packed_size(length, bits);
        uint64_t group = 0;
        for (size_t i = 0; i < length; ++i) {
            assert(codes[begin + i] >= -top && codes[begin + i] <= top);
            group |= (uint64_t)(codes[begin + i] + top) << (i * (size_t)bits);
        }
        for (size_t i = 0; i < bytes; ++i)
            packed[i] = (uint8_t)(group >> (8 * i));
    }
}

static void unpack_nibbles(const uint8_t *packed, size_t n, int8_t *codes) {
    const int top = largest(4);
    for (size_t i = 0; i < n / 2; ++i) {
        codes[2 * i] = (int8_t)((packed[i] & 15) - top);
        codes[2 * i + 1] = (int8_t)((packed[i] >> 4) - top);
    }
    if (n % 2)
        codes[n - 1] = (int8_t)((packed[n / 2] & 15) - top);
}

static void unpack_bytes(const uint8_t *packed, size_t n, int8_t *codes) {
    const int top = largest(8);
    for (size_t i = 0; i < n; ++i)
        codes[i] = (int8_t)(packed[i] - top);
}

static void unpack_groups(const uint8_t *packed, size_t n, int bits, int8_t *codes) {
    const int top = largest(bits), mask = (1 << bits) - 1;
    for (size_t begin = 0; begin < n; begin += 8, packed += bits) {
        const size_t length = group_length(begin, n);
        uint64_t group = load_group(packed, length, bits);
        for (size_t i = 0; i < length; ++i, group >>= bits)
            codes[begin + i] = (int8_t)((int)(group & (uint64_t)mask) - top);
    }
}

void gdrq_unpack(const uint8_t *packed, size_t n, int bits, int8_t *codes) {
    if (bits == 8)
        unpack_bytes(packed, n, codes);
    else if (bits == 4)
        unpack_nibbles(packed, n, codes);
    else
        unpack_groups(packed, n, bits, codes);
}

/* Whether no nibble is 15, and that above the last of an odd number of codes 0. */
static bool nibbles_are_good(const uint8_t *packed, size_t n) {
    uint8_t bad = 0;
    for (size_t i = 0; i < (n + 1) / 2; ++i) {
        const uint8_t byte = packed[i];
        bad |= (uint8_t)((byte & 0x0f) == 0x0f) | (uint8_t)((byte & 0xf0) == 0xf0);
    }
    return !bad && (n % 2 == 0 || packed[n / 2] >> 4 == 0);
}

/* A code is out of range if all of its bits are 1: their conjunction, at its lowest bit, is 1. */
static bool groups_are_good(const uint8_t *packed, size_t n, int bits) {
    uint64_t lowest = 0, bad = 0;
    for (int i = 0; i < 8; ++i)
        lowest |= UINT64_C(1) << (i * bits);
    for (size_t begin = 0; begin < n; begin += 8, packed += bits) {
        const size_t length = group_length(begin, n);
        const uint64_t group = load_group(packed, length, bits);
        uint64_t all = group;
        for (int k = 1; k < bits; ++k)
            all &= group >> k;
        bad |= all & lowest;
        if (length < 8)
            bad |= group >> (length * (size_t)bits);
    }
    return !bad;
}

bool gdrq_packed_is_good(const uint8_t *packed, size_t n, int bits) {
    assert(bits >= 2 && bits <= 8);
    if (bits == 8)
        return !memchr(packed, 0xff, n);
    return bits == 4 ? nibbles_are_good(packed, n) : groups_are_good(packed, n, bits);
}
