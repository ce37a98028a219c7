/* What replaces the host's image reading and keeps its windows off machines without a display. */
#ifndef GDRQ_HOST_IMAGE_HOOKS_H
#define GDRQ_HOST_IMAGE_HOOKS_H

#include <stdbool.h>

#include "darknet.h"
#include "gdrq.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Reads an image file as planar floats in [0, 1], colours in the order red, green, blue (, alpha).
 * channels: 1 (grey) and 3 (colour) convert, 0 takes the file's own count, any other number must be
 * the file's own. The pixels are those of the host's load_image_cv() where that is defined; a file
 * with 16 bits per sample keeps them. No file name ever reaches a shell. Free with free_image().
 * On failure *out is empty: GDRQ_ERROR_IO for what can't be opened or read, GDRQ_ERROR_FORMAT for
 * what is no image, damaged or too large for the host's int indices.
 */
gdrq_status gdrq_load_image(const char *filename, int channels, image *out, gdrq_error *err);

/*
 * Whether a window can be opened: there is an X or Wayland display, or Qt was told to use a
 * platform that needs neither (QT_QPA_PLATFORM=offscreen, vnc, ...). Without one Qt ends the
 * process.
 */
bool gdrq_have_display(void);

#ifdef __cplusplus
}
#endif
#endif
