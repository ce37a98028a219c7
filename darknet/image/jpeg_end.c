#include "image/jpeg_end.h"

#include <string.h>

/* Second bytes of markers, behind 0xff: T.81, table B.1. */
enum {
    STUFFED = 0x00,
    TEM = 0x01,
    FIRST_USED = 0xc0,
    RST0 = 0xd0,
    RST7 = 0xd7,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda
};

static bool is_restart(unsigned char marker) {
    return marker >= RST0 && marker <= RST7;
}

/* Index of the 0xff of the next marker that ends a scan's entropy-coded data; n if there is none.
 */
static size_t skip_scan(const unsigned char *bytes, size_t n, size_t at) {
    while (at + 1 < n) {
        const unsigned char *found = memchr(bytes + at, 0xff, n - 1 - at);
        if (!found)
            return n;
        const unsigned char next = found[1];
        at = (size_t)(found - bytes);
        if (next != STUFFED && next != 0xff && !is_restart(next))
            return at;
        at += next == 0xff ? 1 : 2; /* 0xff may be repeated before a marker */
    }
    return n;
}

/* Index behind the marker's segment, and behind its scan if it begins one; may be past n. */
static size_t skip_segment(const unsigned char *bytes, size_t n, size_t at, unsigned char marker) {
    if (marker == TEM || is_restart(marker))
        return at;
    if (at + 2 > n)
        return n;
    const size_t behind = at + (size_t)(bytes[at] << 8 | bytes[at + 1]);
    return marker == SOS && behind < n ? skip_scan(bytes, n, behind) : behind;
}

bool jpeg_is_cut_off(const unsigned char *bytes, size_t n) {
    if (n < 2 || bytes[0] != 0xff || bytes[1] != SOI)
        return false;
    for (size_t at = 2; at < n;) {
        if (bytes[at] != 0xff)
            return false;
        while (at < n && bytes[at] == 0xff)
            at++;
        if (at == n)
            break;
        const unsigned char marker = bytes[at++];
        if (marker == EOI || marker == SOI || (marker < FIRST_USED && marker != TEM))
            return false;
        at = skip_segment(bytes, n, at, marker);
    }
    return true;
}
