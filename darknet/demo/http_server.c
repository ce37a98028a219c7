#include "demo/http_server.h"

#include "base/alloc.h"
#include "base/status.h"
#include "demo/http_requests.h"
#include "demo/listen_socket.h"
#include "demo/page.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_TIMEOUT = 10,        /* seconds */
    REFUSED_CONNECTIONS = 16,    /* beyond the limit, at a time, that are told so */
    CONNECTION_MEMORY = 64 << 10 /* bytes, for a request's head and then for what is sent */
};

struct http_server {
    http_site site;
    struct MHD_Daemon *daemon;
    char *page, *bound;
    int port;
};

static gdrq_status start_daemon(http_server *server, const http_options *options, gdrq_error *err) {
    int fd;
    const gdrq_status status =
        listen_socket_open(server->bound, options->port, &fd, &server->port, err);
    if (status != GDRQ_OK)
        return status;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        http_requests_handle, &server->site, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_COMPLETED, http_requests_complete, &server->site,
        MHD_OPTION_NOTIFY_CONNECTION, http_requests_connection, &server->site,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(options->most_clients + REFUSED_CONNECTIONS),
        MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(options->timeout ? options->timeout : DEFAULT_TIMEOUT),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    if (server->daemon)
        return GDRQ_OK;
    close(fd);
    return gdrq_fail(err, GDRQ_ERROR_STATE, "can't start the web server: no memory or threads");
}

static gdrq_status build(http_server *server, const http_options *options, gdrq_error *err) {
    http_site *site = &server->site;
    server->bound = gdrq_strdup(options->bind ? options->bind : "127.0.0.1");
    server->page = page_make(options->title ? options->title : "darknet", options->findings);
    site->plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!server->bound || !server->page || !site->plain)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the web server");
    site->content = options->content;
    site->bound = server->bound;
    site->page = server->page;
    site->findings = options->findings;
    site->most_connections = options->most_clients;
    atomic_init(&site->threshold, options->threshold);
    gdrq_status status = frame_board_new(site->plain, &site->board, err);
    if (status == GDRQ_OK)
        status = http_streams_start(site->board, &site->streams, err);
    if (status != GDRQ_OK)
        return status;
    http_server_publish(server, &(http_frame){.statistics = {.source_state = "starting"}});
    return start_daemon(server, options, err);
}

gdrq_status http_server_start(const http_options *options, http_server **server, gdrq_error *err) {
    *server = NULL;
    if (options->port < 0 || options->port > 65535 || options->most_clients < 1)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "a web server needs a port from 0 to 65535 and room for a client, not "
                         "port %d and %d clients",
                         options->port, options->most_clients);
    http_server *started = gdrq_alloc(1, sizeof *started);
    if (!started)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the web server");
    /* Signals are for the threads of the program. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const gdrq_status status = build(started, options, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status == GDRQ_OK)
        *server = started;
    else
        http_server_stop(started);
    return status;
}

int http_server_port(const http_server *server) {
    return server->port;
}

bool http_server_wants_pictures(const http_server *server) {
    return http_streams_waiting(server->site.streams, FRAME_PICTURE) > 0;
}

void http_server_publish(http_server *server, const http_frame *frame) {
    http_site *site = &server->site;
    const http_state state = http_site_state(site);
    frame_board_pin(site->board, frame, &state,
                    http_streams_clients(site->streams, FRAME_PICTURE) > 0);
    http_streams_wake(site->streams);
}

float http_server_threshold(const http_server *server) {
    return atomic_load(&server->site.threshold);
}

void http_server_set_threshold(http_server *server, float threshold) {
    atomic_store(&server->site.threshold, threshold);
}

void http_server_stop(http_server *server) {
    if (!server)
        return;
    if (server->site.streams)
        http_streams_end(server->site.streams);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    http_streams_free(server->site.streams);
    frame_board_free(server->site.board);
    if (server->site.plain)
        freelocale(server->site.plain);
    free(server->page);
    free(server->bound);
    free(server);
}
