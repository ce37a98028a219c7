/* The web servers of a run: up to three ports, which all serve the same frames. */
#ifndef DARKNET_DEMO_WEB_SINK_H
#define DARKNET_DEMO_WEB_SINK_H

#include "demo/http_server.h"
#include "demo/options.h"

enum { WEB_PORTS = 3 };

typedef struct web_sink {
    http_server *servers[WEB_PORTS]; /* NULL: none */
    int n;
    http_server *page;   /* that has the slider, or NULL */
    float slider;        /* as it stood last */
    double next_picture; /* the moment before which none is encoded; of the drawing thread */
} web_sink;

/* Starts those that the options name, and reports their addresses. */
gdrq_status web_sink_open(web_sink *w, const demo_options *o, const char *title, gdrq_error *err);

/* Whether a picture of this frame shall be encoded: a client waits for one, and the last one is old
   enough. From one thread, which may be another than that of the rest. */
bool web_sink_wants_picture(web_sink *w);
void web_sink_publish(web_sink *w, const http_frame *frame);

/* Whether somebody has moved the slider since; then *thresh receives where to. */
bool web_sink_moved(web_sink *w, float *thresh);

/* Where the threshold was changed otherwise, the slider follows. */
void web_sink_set_slider(web_sink *w, float thresh);

void web_sink_close(web_sink *w);

#endif
