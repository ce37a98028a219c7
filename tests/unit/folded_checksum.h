/* Makes the checksum of a folded network's file right again after its bytes were changed. */
#ifndef TESTS_FOLDED_CHECKSUM_H
#define TESTS_FOLDED_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum { CHECKSUM_AT = 12 }; /* FORMAT.md */

static inline void fix_checksum(uint8_t *file, size_t n) {
    if (n < CHECKSUM_AT + 4)
        return;
    memset(file + CHECKSUM_AT, 0, 4);
    const uint32_t sum = (uint32_t)crc32(0, file, (uInt)n);
    memcpy(file + CHECKSUM_AT, &sum, sizeof sum);
}

#endif
