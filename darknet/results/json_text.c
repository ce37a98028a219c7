#include "results/json_text.h"

#include <stdbool.h>

static bool continues(unsigned char byte, unsigned low, unsigned high) {
    return byte >= low && byte <= high;
}

/*
 * The length of the well-formed UTF-8 sequence at s, of two bytes or more; 0 if it is none. The
 * bounds of the second byte keep out overlong forms, surrogates and what is above U+10FFFF.
 */
static int sequence_length(const unsigned char *s) {
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return continues(s[1], 0x80, 0xbf) ? 2 : 0;
    if (s[0] >= 0xe0 && s[0] <= 0xef) {
        const unsigned low = s[0] == 0xe0 ? 0xa0 : 0x80, high = s[0] == 0xed ? 0x9f : 0xbf;
        return continues(s[1], low, high) && continues(s[2], 0x80, 0xbf) ? 3 : 0;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        const unsigned low = s[0] == 0xf0 ? 0x90 : 0x80, high = s[0] == 0xf4 ? 0x8f : 0xbf;
        return continues(s[1], low, high) && continues(s[2], 0x80, 0xbf) &&
                       continues(s[3], 0x80, 0xbf)
                   ? 4
                   : 0;
    }
    return 0;
}

void json_put_string(FILE *out, const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    putc('"', out);
    while (*s) {
        const int length = sequence_length(s);
        if (length) {
            fwrite(s, 1, (size_t)length, out);
            s += length;
            continue;
        }
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (*s < 0x20)
            fprintf(out, "\\u%04x", *s);
        else if (*s < 0x80)
            putc(*s, out);
        else
            fputs("\\ufffd", out);
        s++;
    }
    putc('"', out);
}
