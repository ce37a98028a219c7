/*
 * The web page of a running demo, and its streams, on libmicrohttpd's own threads. Publishing a
 * frame never waits for a client: clients get the newest frame when they have taken the one before.
 *
 *     /                 the page        /stream.mjpg      the pictures, multipart/x-mixed-replace
 *     /detections.json  of the newest   /events           the same and statistics, server-sent
 *     /metrics          Prometheus's text format          /threshold  POST value=0.5; only where
 *                                                                     there is one
 */
#ifndef DARKNET_DEMO_HTTP_SERVER_H
#define DARKNET_DEMO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "demo/findings.h"
#include "gdrq.h"

typedef enum http_content {
    HTTP_PAGE, /* all of the above: -http */
    HTTP_PICTURES /* the pictures, at any path: -mjpeg_port */,
    HTTP_JSON /* a line of detections per frame, at any path: -json_port */
} http_content;

typedef struct http_options {
    http_content content;
    const char *bind; /* an address, "127.0.0.1" if NULL */
    int port;         /* 0: any free one, http_server_port() */
    int most_clients; /* connections at a time; more are refused with 503 */
    int timeout;      /* seconds after which a client that takes nothing is dropped; 0: 10 */
    const char *title;
    demo_findings findings; /* the slider is for those with a threshold */
    float threshold;        /* that it begins with */
} http_options;

/* What the pipeline measured of itself. */
typedef struct demo_statistics {
    double fps;            /* results per second, of the last seconds */
    double latency_median; /* capture to result, in ms */
    double latency_95;
    double network_ms;             /* median */
    unsigned long frames, dropped; /* results since the start; frames that a live source dropped */
    const char *source_state;      /* "playing", "reconnecting in 4 s", "ended" */
} demo_statistics;

/* A frame's results; all memory stays the caller's. */
typedef struct http_frame {
    unsigned long number;
    const unsigned char *jpeg; /* NULL: no picture of this frame */
    size_t jpeg_size;
    const char *detections; /* a JSON object in one line; NULL: none, a change of state only */
    demo_statistics statistics;
} http_frame;

typedef struct http_server http_server;

gdrq_status http_server_start(const http_options *options, http_server **server, gdrq_error *err);
int http_server_port(const http_server *server);
/* Whether a client that has taken its pictures so far waits for the next one. From any thread. */
bool http_server_wants_pictures(const http_server *server);
void http_server_publish(http_server *server, const http_frame *frame);
/* As the slider stands, and where to put it. */
float http_server_threshold(const http_server *server);
void http_server_set_threshold(http_server *server, float threshold);
/* Ends all connections and frees everything; server may be NULL. */
void http_server_stop(http_server *server);

#endif
