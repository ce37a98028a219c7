/*
 * The video file of a run. A live source's frames come when they come, and some are dropped: theirs
 * are repeated or left out so that the video lasts as long as what it shows.
 */
#ifndef DARKNET_DEMO_RECORDING_H
#define DARKNET_DEMO_RECORDING_H

#include "demo/video_writer.h"

typedef struct recording {
    const char *path;
    double fps;
    bool live;
    video_writer *writer; /* from the first frame on */
    double last;          /* moment of the frame before */
    double owed;          /* frames of the video that are due, less those that were written */
} recording;

/* fps 0: unknown. The file is begun with the first frame, whose size it has. */
recording recording_of(const char *path, double fps, bool live);

gdrq_status recording_add(recording *r, const picture *p, double captured, gdrq_error *err);

/* Puts the file in its place. Without a frame there is none, and an error. */
gdrq_status recording_finish(recording *r, gdrq_error *err);

#endif
