#include "demo/http_streams.h"

#include "base/alloc.h"
#include "base/status.h"
#include "seconds.h"

#include <math.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seconds. */
static const double event_interval = 1. / 15; /* at least, between two events of a client */
static const double event_repeat = 2;         /* at most: pages see thereby that the server lives */
static const double look_interval = .5;       /* for clients that vanished while they waited */

typedef struct stream_client {
    struct stream_client *previous, *next;
    http_streams *streams;
    struct MHD_Connection *connection;
    frame_view view;
    bool waiting; /* its connection is suspended */
    bool gone;
    shared_frame *frame; /* that `rest` lies in, if it lies in one */
    frame_bytes rest;    /* of what is being sent */
    unsigned long seen;  /* sequence number of the frame taken last */
    double taken;        /* when */
} stream_client;

struct http_streams {
    frame_board *board;
    pthread_mutex_t lock; /* of the clients */
    stream_client *first;
    bool ending;
    atomic_int clients[FRAME_VIEWS], waiting[FRAME_VIEWS];
    pthread_t waker;
    sem_t news;
};

/* When the client is to get the next frame, as things stand. */
static double due_time(const stream_client *client) {
    const bool newer = frame_board_newest(client->streams->board, client->view) > client->seen;
    if (client->view != FRAME_EVENT)
        return newer ? client->taken : INFINITY;
    return client->taken + (newer ? event_interval : event_repeat);
}

/* False if there is nothing for the client yet. */
static bool take_next(stream_client *client) {
    const double now = seconds_now();
    if (due_time(client) > now)
        return false;
    client->frame = frame_board_take(client->streams->board, client->view);
    if (!client->frame)
        return false;
    client->seen = client->frame->sequence;
    client->taken = now;
    client->rest = client->frame->views[client->view];
    return true;
}

static void give_back(stream_client *client) {
    if (client->frame)
        frame_board_give_back(client->streams->board, client->frame);
    client->frame = NULL;
}

/* With the lock held. */
static void set_waiting(stream_client *client, bool waiting) {
    if (client->waiting != waiting)
        atomic_fetch_add(&client->streams->waiting[client->view], waiting ? 1 : -1);
    client->waiting = waiting;
}

/* libmicrohttpd asks for the next bytes, whenever the socket takes some. */
static ssize_t read_stream(void *user, uint64_t position, char *to, size_t most) {
    (void)position;
    stream_client *client = user;
    http_streams *streams = client->streams;
    if (client->rest.n == 0) {
        pthread_mutex_lock(&streams->lock);
        const bool ends = streams->ending || client->gone;
        if (!ends && !take_next(client)) {
            MHD_suspend_connection(client->connection);
            set_waiting(client, true);
        }
        pthread_mutex_unlock(&streams->lock);
        if (ends)
            return MHD_CONTENT_READER_END_OF_STREAM;
    }
    const size_t n = client->rest.n < most ? client->rest.n : most;
    if (n == 0)
        return 0;
    memcpy(to, client->rest.at, n);
    client->rest.at += n;
    client->rest.n -= n;
    if (client->rest.n == 0)
        give_back(client);
    return (ssize_t)n;
}

static void free_client(void *user) {
    stream_client *client = user;
    http_streams *streams = client->streams;
    pthread_mutex_lock(&streams->lock);
    set_waiting(client, false);
    if (client->previous)
        client->previous->next = client->next;
    else
        streams->first = client->next;
    if (client->next)
        client->next->previous = client->previous;
    pthread_mutex_unlock(&streams->lock);
    atomic_fetch_sub(&streams->clients[client->view], 1);
    give_back(client);
    free(client);
}

static frame_bytes greeting(frame_view view) {
    static const char delimiter[] = FRAME_DELIMITER, retry[] = "retry: 1000\n\n";
    if (view == FRAME_PICTURE)
        return (frame_bytes){delimiter, sizeof delimiter - 1};
    if (view == FRAME_EVENT)
        return (frame_bytes){retry, sizeof retry - 1};
    return (frame_bytes){NULL, 0};
}

struct MHD_Response *http_streams_answer(http_streams *streams, struct MHD_Connection *connection,
                                         frame_view view) {
    enum { PIECE = 32 << 10 }; /* bytes, for clients of HTTP 1.0; else the connection's memory */
    stream_client *client = gdrq_alloc(1, sizeof *client);
    if (!client)
        return NULL;
    *client = (stream_client){.streams = streams,
                              .connection = connection,
                              .view = view,
                              .rest = greeting(view),
                              .taken = -INFINITY};
    pthread_mutex_lock(&streams->lock);
    client->next = streams->first;
    if (client->next)
        client->next->previous = client;
    streams->first = client;
    pthread_mutex_unlock(&streams->lock);
    atomic_fetch_add(&streams->clients[view], 1);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, PIECE, read_stream, client, free_client);
    if (!response)
        free_client(client);
    return response;
}

/* Whether the other side has hung up. libmicrohttpd does not look at suspended connections. */
static bool hung_up(const stream_client *client) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd polled = {.fd = info->connect_fd, .events = POLLRDHUP};
    return poll(&polled, 1, 0) > 0 && polled.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* Resumes whoever waits and is due, gone, or has to end. When to do so again. */
static double resume_due(http_streams *streams, bool look) {
    double next = INFINITY;
    pthread_mutex_lock(&streams->lock);
    const double now = seconds_now();
    for (stream_client *client = streams->first; client; client = client->next) {
        if (!client->waiting)
            continue;
        const double due = due_time(client);
        client->gone = look && hung_up(client);
        if (due <= now || client->gone || streams->ending) {
            set_waiting(client, false);
            MHD_resume_connection(client->connection);
        } else if (due < next) {
            next = due;
        }
    }
    pthread_mutex_unlock(&streams->lock);
    return next;
}

/* Until there is news, or `when`. */
static void wait_for_news(http_streams *streams, double when) {
    double whole;
    const double fraction = modf(when, &whole);
    const struct timespec until = {(time_t)whole, (long)(1e9 * fraction)};
    sem_clockwait(&streams->news, CLOCK_MONOTONIC, &until);
    /* One pass serves all the news so far. */
    while (sem_trywait(&streams->news) == 0)
        ;
}

static bool is_ending(http_streams *streams) {
    pthread_mutex_lock(&streams->lock);
    const bool ending = streams->ending;
    pthread_mutex_unlock(&streams->lock);
    return ending;
}

static void *run_waker(void *user) {
    http_streams *streams = user;
    double next_look = 0;
    do {
        const double now = seconds_now();
        const bool look = now >= next_look;
        if (look)
            next_look = now + look_interval;
        wait_for_news(streams, fmin(resume_due(streams, look), next_look));
    } while (!is_ending(streams));
    return NULL;
}

gdrq_status http_streams_start(frame_board *board, http_streams **streams, gdrq_error *err) {
    http_streams *s = *streams = gdrq_alloc(1, sizeof *s);
    if (!s)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the web server's streams");
    s->board = board;
    pthread_mutex_init(&s->lock, NULL);
    sem_init(&s->news, 0, 0);
    const int error = pthread_create(&s->waker, NULL, run_waker, s);
    if (error == 0)
        return GDRQ_OK;
    s->ending = true;
    http_streams_free(s);
    *streams = NULL;
    return gdrq_fail(err, GDRQ_ERROR_STATE, "can't start a thread of the web server: %s",
                     strerror(error));
}

int http_streams_clients(http_streams *streams, frame_view view) {
    return atomic_load(&streams->clients[view]);
}

int http_streams_waiting(http_streams *streams, frame_view view) {
    return atomic_load(&streams->waiting[view]);
}

void http_streams_wake(http_streams *streams) {
    sem_post(&streams->news);
}

void http_streams_end(http_streams *streams) {
    pthread_mutex_lock(&streams->lock);
    streams->ending = true;
    pthread_mutex_unlock(&streams->lock);
    http_streams_wake(streams);
    pthread_join(streams->waker, NULL);
    /* Nobody suspends any more. */
    resume_due(streams, false);
}

void http_streams_free(http_streams *streams) {
    if (!streams)
        return;
    sem_destroy(&streams->news);
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}
