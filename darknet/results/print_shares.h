/* Which classes of pixels occur in a picture, and how much of it they have. */
#ifndef RESULTS_PRINT_SHARES_H
#define RESULTS_PRINT_SHARES_H

#include "image/pixel_shares.h"
#include "segmenter.h"

#include <stdio.h>

/* A line "NAME: 12.34%" for each class that occurs. */
void shares_print(const pixel_shares *shares, const segmenter *s, FILE *out);

/* An array of JSON, with class_id, name, colour ("#rrggbb") and share of each. */
void shares_put_json(const pixel_shares *shares, const segmenter *s, FILE *out);

#endif
