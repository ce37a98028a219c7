#include "results/text_column.h"

/* Bytes 10xxxxxx go on with a character. */
static bool begins_character(char byte) {
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* Bytes of the first characters, whose number, at most `width`, goes to *n. */
static int cut(const char *text, int width, int *n) {
    int bytes = 0;
    *n = 0;
    for (; text[bytes]; bytes++) {
        if (!begins_character(text[bytes]))
            continue;
        if (*n == width)
            break;
        ++*n;
    }
    return bytes;
}

void text_column_left(const char *text, int width, FILE *out) {
    int n;
    const int bytes = cut(text, width, &n);
    fprintf(out, "%.*s%*s", bytes, text, width - n, "");
}

void text_column_right(const char *text, int width, FILE *out) {
    int n;
    const int bytes = cut(text, width, &n);
    fprintf(out, "%*s%.*s", width - n, "", bytes, text);
}
