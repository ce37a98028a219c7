/*
 * A video file that is complete or not there: it is written beside its place, read back at the end
 * and then renamed.
 */
#ifndef DARKNET_DEMO_VIDEO_WRITER_H
#define DARKNET_DEMO_VIDEO_WRITER_H

#include "image/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct video_writer video_writer;

/* Whether the name ends in what can be written: .avi (Motion JPEG), .mp4 or .mkv (MPEG-4). */
gdrq_status video_writer_check(const char *path, gdrq_error *err);

gdrq_status video_writer_open(const char *path, int w, int h, double fps, video_writer **opened,
                              gdrq_error *err);

/* A picture of another size is resized. Fails when the disk is nearly full: what is there so far
   can still be finished. */
gdrq_status video_writer_add(video_writer *v, const picture *p, gdrq_error *err);

/* Ends the file and puts it in its place; the writer is gone, also on failure. What can't be found
   complete stays beside the place, and *err tells where. */
gdrq_status video_writer_finish(video_writer *v, gdrq_error *err);

#ifdef __cplusplus
}
#endif
#endif
