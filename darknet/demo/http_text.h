/* What the server says of a running demo, as text. */
#ifndef DEMO_HTTP_TEXT_H
#define DEMO_HTTP_TEXT_H

#include "demo/http_server.h"

#include <stdio.h>

/* The server's own part of what is told. */
typedef struct http_state {
    float threshold; /* NAN: there is none */
    int clients;
} http_state;

/* A server-sent event: JSON in one line, {"statistics": {...}, "detections": what the frame has}.
 */
void http_put_event(FILE *out, const http_frame *frame, const http_state *state);

/* The frame's detections in one line, or nothing if it has none. */
void http_put_line(FILE *out, const http_frame *frame);

/* Whether frames come: neither an outage nor a pause, beginning or end. */
bool http_is_playing(const demo_statistics *statistics);

/* Prometheus's text format 0.0.4. */
void http_put_metrics(FILE *out, const demo_statistics *statistics, const http_state *state);

#endif
