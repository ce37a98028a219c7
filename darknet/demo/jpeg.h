/* Pictures as JPEG in memory that is kept. */
#ifndef DARKNET_DEMO_JPEG_H
#define DARKNET_DEMO_JPEG_H

#include <stddef.h>

#include "image/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct jpeg_buffer {
    unsigned char *data;
    size_t n, room;
} jpeg_buffer;

/* quality: 1 to 100 */
gdrq_status jpeg_encode(const picture *p, int quality, jpeg_buffer *out, gdrq_error *err);

void jpeg_free(jpeg_buffer *buffer);

#ifdef __cplusplus
}
#endif
#endif
