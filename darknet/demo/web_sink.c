#include "demo/web_sink.h"

#include "report.h"
#include "seconds.h"

#include <string.h>

enum { MOST_CLIENTS = 64 };

/* Seconds; clients get no more pictures than eyes follow, however fast the network is. */
static const double picture_interval = 1. / 30;

/* In URLs colons belong to ports: IPv6 addresses go in brackets. */
static void report_address(const char *flag, const char *bound, int port) {
    const bool v6 = strchr(bound, ':');
    report("%s: http://%s%s%s:%d/", flag, v6 ? "[" : "", bound, v6 ? "]" : "", port);
}

static gdrq_status start(web_sink *w, const demo_options *o, const char *title, const char *flag,
                         http_content content, int port, gdrq_error *err) {
    if (port < 0)
        return GDRQ_OK;
    const http_options options = {.content = content,
                                  .bind = o->http_bind,
                                  .port = port,
                                  .most_clients = MOST_CLIENTS,
                                  .title = title,
                                  .findings = o->findings,
                                  .threshold = o->thresh};
    http_server *server;
    const gdrq_status status = http_server_start(&options, &server, err);
    if (status != GDRQ_OK)
        return status;
    w->servers[w->n++] = server;
    if (content == HTTP_PAGE && o->findings == DEMO_OBJECTS)
        w->page = server;
    report_address(flag, o->http_bind ? o->http_bind : "127.0.0.1", http_server_port(server));
    return GDRQ_OK;
}

gdrq_status web_sink_open(web_sink *w, const demo_options *o, const char *title, gdrq_error *err) {
    *w = (web_sink){.slider = o->thresh};
    gdrq_status status = start(w, o, title, "-http", HTTP_PAGE, o->http, err);
    if (status == GDRQ_OK)
        status = start(w, o, title, "-mjpeg_port", HTTP_PICTURES, o->mjpeg_port, err);
    if (status == GDRQ_OK)
        status = start(w, o, title, "-json_port", HTTP_JSON, o->json_port, err);
    if (status != GDRQ_OK)
        web_sink_close(w);
    return status;
}

bool web_sink_wants_picture(web_sink *w) {
    const double now = seconds_now();
    bool wanted = false;
    for (int i = 0; i < w->n; i++)
        wanted = wanted || http_server_wants_pictures(w->servers[i]);
    /* A step of the interval, not the moment, so that 30 frames a second stay that many. */
    if (!wanted || now < w->next_picture)
        return false;
    w->next_picture += picture_interval;
    if (w->next_picture < now)
        w->next_picture = now;
    return true;
}

void web_sink_publish(web_sink *w, const http_frame *frame) {
    for (int i = 0; i < w->n; i++)
        http_server_publish(w->servers[i], frame);
}

bool web_sink_moved(web_sink *w, float *thresh) {
    const float now = w->page ? http_server_threshold(w->page) : w->slider;
    const bool moved = now != w->slider;
    w->slider = *thresh = now;
    return moved;
}

void web_sink_set_slider(web_sink *w, float thresh) {
    if (w->page && w->slider != thresh)
        http_server_set_threshold(w->page, thresh);
    w->slider = thresh;
}

void web_sink_close(web_sink *w) {
    for (int i = 0; i < w->n; i++)
        http_server_stop(w->servers[i]);
    *w = (web_sink){0};
}
