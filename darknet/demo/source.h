/*
 * Where frames come from: a camera, a video, pictures, a stream, or the fake camera of the tests.
 * One thread at a time uses a source.
 */
#ifndef DARKNET_DEMO_SOURCE_H
#define DARKNET_DEMO_SOURCE_H

#include <stdbool.h>

#include "demo/fake_world.h"
#include "demo/frame_buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum source_event {
    SOURCE_FRAME,
    SOURCE_SKIPPED, /* one frame can't be read; others may follow */
    SOURCE_END,     /* there are no more */
    SOURCE_LOST,    /* opening it anew may help */
} source_event;

typedef struct source source;

typedef struct source_methods {
    gdrq_status (*open)(source *s, gdrq_error *err);
    /*
     * Waits for the next frame and sizes `frame` for it. *captured receives the moment of
     * seconds_now() that it was there. *err tells why, for SKIPPED and LOST.
     */
    source_event (*next)(source *s, frame_buffer *frame, double *captured, gdrq_error *err);
    void (*free)(source *s); /* closes it, too */
} source_methods;

struct source {
    const source_methods *methods;
    const char *name; /* for messages; the request's */
    bool live;        /* frames come when they come: those that nobody takes are lost */
    bool may_block;   /* waiting for a frame may take for ever; true where it is live */
    bool is_camera;   /* width, height and rate can be asked for */
    double fps;       /* known once it is open; 0: unknown */
};

/* What the user wants; it lives as long as the sources that are made of it. */
typedef struct source_request {
    const char *what; /* NULL: camera number `camera` */
    int camera;
    int w, h;  /* of a camera's picture; 0: as it likes */
    float fps; /* of a camera; 0: likewise */
    /* Seconds without a frame after which a live source counts as lost, and one that may block has
       ended; what can be told so gives up waiting by itself. */
    float stall;
    char name[256];   /* what messages call it; set by source_request_name() */
    fake_world world; /* zeroed */
} source_request;

void source_request_name(source_request *request);

/*
 * The source, not yet open. A number is a camera; /dev/videoN is one, too; fake:... is the fake
 * camera; a folder, a name with * or ? or as f_%03d.jpg, a picture or a list (.txt) of them are
 * pictures; what has " ! " is a pipeline of GStreamer; what has :// is a stream; all else is a
 * video file.
 */
gdrq_status source_make(source_request *request, source **made, gdrq_error *err);

/* Whether there can be such a source, as far as can be told without opening it. */
gdrq_status source_check(const char *what, gdrq_error *err);

/*
 * Whether the source has a file that one of the n outputs (some may be NULL) would replace, or a
 * picture numbered behind `prefix` (NULL: none are).
 */
gdrq_status source_check_outputs(const char *what, const char *const *outputs, int n,
                                 const char *prefix, gdrq_error *err);

/* Where a name has "%03d", whose width is 1 to 9 and whose length is *end; NULL: nowhere. */
const char *source_number_format(const char *what, int *width, int *end);

/* The kinds. */
gdrq_status source_fake_make(source_request *request, source **made, gdrq_error *err);
gdrq_status source_pictures_make(source_request *request, source **made, gdrq_error *err);
gdrq_status source_pictures_check_outputs(const char *what, const char *const *outputs, int n,
                                          const char *prefix, gdrq_error *err);
gdrq_status source_video_make(source_request *request, source **made, gdrq_error *err);

#ifdef __cplusplus
}
#endif
#endif
