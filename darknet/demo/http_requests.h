/* What the server answers to which request. */
#ifndef DEMO_HTTP_REQUESTS_H
#define DEMO_HTTP_REQUESTS_H

#include "demo/http_streams.h"

#include <microhttpd.h>
#include <stdatomic.h>

/* Of the whole server; requests are answered on one thread, libmicrohttpd's. */
typedef struct http_site {
    http_content content;
    const char *bound; /* the address that was asked for */
    const char *page;
    demo_findings findings;
    locale_t plain; /* with decimal points, where a window's toolkit may have set commas */
    frame_board *board;
    http_streams *streams;
    _Atomic float threshold;
    atomic_int connections;
    int most_connections;
} http_site;

/* Callbacks of libmicrohttpd; their first argument is the site. */
enum MHD_Result http_requests_handle(void *site, struct MHD_Connection *connection,
                                     const char *path, const char *method, const char *version,
                                     const char *body, size_t *body_size, void **request);
void http_requests_complete(void *site, struct MHD_Connection *connection, void **request,
                            enum MHD_RequestTerminationCode how);
/* Counts connections; one too many is marked, and its requests are refused. */
void http_requests_connection(void *site, struct MHD_Connection *connection, void **marked,
                              enum MHD_ConnectionNotificationCode what);

http_state http_site_state(http_site *site);

#endif
