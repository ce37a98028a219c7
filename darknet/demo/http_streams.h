/*
 * Answers that never end. A client takes the newest frame, then whichever is the newest by then; in
 * between its connection is suspended, and a thread resumes it when there is something new.
 */
#ifndef DEMO_HTTP_STREAMS_H
#define DEMO_HTTP_STREAMS_H

#include "demo/frame_board.h"

struct MHD_Connection;
struct MHD_Response;

typedef struct http_streams http_streams;

/* The board is borrowed. */
gdrq_status http_streams_start(frame_board *board, http_streams **streams, gdrq_error *err);

/* An answer for one connection, which is counted among the view's clients until it is destroyed.
 * NULL when memory is out. */
struct MHD_Response *http_streams_answer(http_streams *streams, struct MHD_Connection *connection,
                                         frame_view view);

int http_streams_clients(http_streams *streams, frame_view view);
/* Those that have taken all they got and wait for something new. */
int http_streams_waiting(http_streams *streams, frame_view view);

/* Something new is on the board. Waits for nobody. */
void http_streams_wake(http_streams *streams);

/* All streams end; to be called before MHD_stop_daemon(), which wants no connection suspended. */
void http_streams_end(http_streams *streams);
/* After MHD_stop_daemon(). */
void http_streams_free(http_streams *streams);

#endif
