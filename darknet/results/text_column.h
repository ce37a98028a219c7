/* Names in columns of a table, counted in characters of UTF-8. */
#ifndef RESULTS_TEXT_COLUMN_H
#define RESULTS_TEXT_COLUMN_H

#include "gdrq.h"

#include <stdio.h>

/* The text's first `width` characters, with blanks behind it (or before it) where it has fewer. */
void text_column_left(const char *text, int width, FILE *out);
void text_column_right(const char *text, int width, FILE *out);

#endif
