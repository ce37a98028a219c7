/*
 * A source as the pipeline sees it: frame after frame, with reconnecting in between where it is
 * live. The capturing thread uses it; the words about its state may be asked for by any.
 */
#ifndef DARKNET_DEMO_CAMERA_H
#define DARKNET_DEMO_CAMERA_H

#include <stdatomic.h>

#include "demo/source.h"

typedef struct camera camera;

typedef enum camera_event { CAMERA_FRAME, CAMERA_END, CAMERA_STOPPED } camera_event;

/* Opens the source, which must be there now. The request is copied, the texts in it are not. */
gdrq_status camera_open(const source_request *request, camera **opened, gdrq_error *err);

/*
 * The next frame, swapped with *frame. A live source that is lost, or gives no frame for the
 * request's time, is opened again and again until it works: only *stop ends that. A file that gives
 * none for so long, as one on a web server may, ends with a message: anew it would begin anew.
 */
camera_event camera_next(camera *c, frame_buffer *frame, double *captured, const atomic_bool *stop);

bool camera_is_live(const camera *c);
double camera_fps(const camera *c);  /* 0: unknown */
int camera_skipped(const camera *c); /* frames that could not be read */

/* "playing", "no frame for 2 s", "reconnecting in 4 s", "ended" */
enum { CAMERA_STATE_SIZE = 64 };
const char *camera_state(camera *c, char text[CAMERA_STATE_SIZE]);

/* What has happened that a user should know, once: "lost: ...; trying again in 1 s". */
bool camera_message(camera *c, gdrq_error *message);

/* False: a source hangs, and its thread is left behind. */
bool camera_close(camera *c);

#endif
