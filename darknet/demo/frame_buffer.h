/* A picture whose memory is kept for the next one of the same size or smaller. */
#ifndef DARKNET_DEMO_FRAME_BUFFER_H
#define DARKNET_DEMO_FRAME_BUFFER_H

#include <stddef.h>

#include "image/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct frame_buffer {
    picture picture; /* BGR */
    size_t room;     /* bytes of its memory */
} frame_buffer;

/* Makes it w x h; what the pixels are then is not said. On failure it is as before. */
gdrq_status frame_buffer_size(frame_buffer *b, int w, int h, gdrq_error *err);

void frame_buffer_swap(frame_buffer *a, frame_buffer *b);
void frame_buffer_free(frame_buffer *b);

#ifdef __cplusplus
}
#endif
#endif
