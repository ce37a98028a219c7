/* The options of quantised layers: built-in defaults, then [net]'s, then the section's own. */
#ifndef GDRQ_HOST_QUANTISED_SECTION_H
#define GDRQ_HOST_QUANTISED_SECTION_H

#include "host/outline.h"
#include "host/section_value.h"

/* Bits of activations that are pixels: the input is quantised as it comes, x*255. */
#define GDRQ_PIXEL_BITS 8

/*
 * Fills the options of every quantised layer; shapes and reads are known.
 * Errors name the section, and [net] where the value comes from there.
 */
gdrq_status gdrq_quantised_sections_read(gdrq_outline *outline, gdrq_error *err);

#endif
