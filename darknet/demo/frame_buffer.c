#include "demo/frame_buffer.h"

#include "base/alloc.h"
#include "base/status.h"

enum { MOST_SIDE = 1 << 16 }; /* what gdrq_letterbox() takes */

gdrq_status frame_buffer_size(frame_buffer *b, int w, int h, gdrq_error *err) {
    if (w < 1 || h < 1 || w > MOST_SIDE || h > MOST_SIDE)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "a frame of %d x %d pixels", w, h);
    const size_t bytes = 3 * (size_t)w * (size_t)h;
    if (bytes > b->room) {
        unsigned char *data = gdrq_alloc(bytes + PICTURE_SLACK, 1);
        if (!data)
            return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a frame of %d x %d", w, h);
        picture_free(&b->picture);
        b->picture.data = data;
        b->room = bytes;
    }
    b->picture.w = w;
    b->picture.h = h;
    return GDRQ_OK;
}

void frame_buffer_swap(frame_buffer *a, frame_buffer *b) {
    const frame_buffer swapped = *a;
    *a = *b;
    *b = swapped;
}

void frame_buffer_free(frame_buffer *b) {
    picture_free(&b->picture);
    b->room = 0;
}
