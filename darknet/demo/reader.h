/*
 * A source that may block on a thread of its own. Drivers and libraries may wait for a frame for
 * ever, with nothing that could wake them: whoever waits for the reader does not have to. A reader
 * that is left behind so frees itself and its source once they return.
 */
#ifndef DARKNET_DEMO_READER_H
#define DARKNET_DEMO_READER_H

#include <stdatomic.h>

#include "demo/source.h"

typedef struct reader reader;

typedef enum reader_event {
    READER_OPEN, /* the source is open; frames come next */
    READER_FRAME,
    READER_END,
    READER_LOST,
    READER_LATE,   /* nothing within the limit */
    READER_STOPPED /* somebody set *stop */
} reader_event;

/*
 * Opens the source, which is the reader's from now on, and reads it; NULL, and *err, if it can't
 * start. When the source has been freed, also then, `freed` is called, on whatever thread.
 */
typedef void reader_freed(void *user);
reader *reader_start(source *s, reader_freed *freed, void *user, gdrq_error *err);

/*
 * Waits `limit` seconds at most for what happens next. A frame is swapped with *frame. The reason
 * is in *err for READER_LOST.
 */
reader_event reader_next(reader *r, frame_buffer *frame, double *captured, double limit,
                         const atomic_bool *stop, gdrq_error *err);

/* Known once it is open. */
double reader_fps(reader *r);

/* Ends it. If it waits for its source and that takes too long, it is left behind. */
void reader_end(reader *r);

#endif
