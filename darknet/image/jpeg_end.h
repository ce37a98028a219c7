/* Whether a JPEG file is all there: decoders fill up what is missing with grey and tell nobody. */
#ifndef DARKNET_IMAGE_JPEG_END_H
#define DARKNET_IMAGE_JPEG_END_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * True if the bytes begin as a JPEG file and stop before its end marker, EOI (ITU-T T.81, B.1.1).
 * What is behind that marker doesn't count, nor do those of embedded previews. Bytes that are no
 * such file, or have markers that no such file has, are left to the decoder: false.
 */
bool jpeg_is_cut_off(const unsigned char *bytes, size_t n);

#ifdef __cplusplus
}
#endif
#endif
