/* Strings of JSON. */
#ifndef RESULTS_JSON_TEXT_H
#define RESULTS_JSON_TEXT_H

#include <stdio.h>

/*
 * Prints text in quotes, escaped as RFC 8259 asks. A byte that is no part of well-formed UTF-8, as
 * a path may have, becomes U+FFFD: the document stays one that every parser takes.
 */
void json_put_string(FILE *out, const char *text);

#endif
