/*
 * A small text file as an array of lines. Blanks at both ends of a line and carriage returns do not
 * count; a byte order mark is skipped. Files that are no text (control characters) are refused, so
 * that what reads the lines meets printable text only.
 */
#ifndef DATA_TEXT_LINES_H
#define DATA_TEXT_LINES_H

#include "gdrq.h"

enum {
    /* The longest image path; the host's loader copies paths, a few bytes longer, to char[4096]. */
    TEXT_LONGEST_PATH = 4000,
};

typedef struct text_lines {
    char *text;   /* owns the bytes that lines point into */
    char **lines; /* lines[i] is line i + 1 of the file, terminated; "" where it is blank */
    int n;
} text_lines;

/*
 * Reads at most `most_bytes`. On failure *lines is empty; the message names the path. Free with
 * text_lines_free().
 */
gdrq_status text_lines_read(const char *path, size_t most_bytes, text_lines *lines,
                            gdrq_error *err);

void text_lines_free(text_lines *lines);

/*
 * Reads a whole decimal integer in min..max from text that holds nothing else. False if it is
 * something else.
 */
bool text_to_int(const char *text, int min, int max, int *value);

#endif
