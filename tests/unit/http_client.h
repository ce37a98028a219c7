/* A client of the demo's web server that does no more than tests need, on raw sockets. */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* -1 if nobody listens. receive_buffer: bytes, 0 for the system's own choice. */
static inline int client_connect(int port, int receive_buffer) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((unsigned short)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (receive_buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline bool client_send(int fd, const char *text) {
    const ssize_t n = (ssize_t)strlen(text);
    return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* A connection that has asked for path and read nothing. */
static inline int client_get(int port, const char *path, int receive_buffer) {
    char request[512];
    const int fd = client_connect(port, receive_buffer);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    if (fd >= 0 && !client_send(fd, request)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Bytes read: 0 at the end, -1 after milliseconds of silence or when the connection is reset. */
static inline ssize_t client_read(int fd, void *to, size_t most, int milliseconds) {
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, milliseconds) == 1 ? recv(fd, to, most, 0) : -1;
}

/* Reads on into text, which holds n of size bytes and stays a string, until it holds `word`. Not
   for ever: a stream of events says something now and then. */
static inline bool client_read_until(int fd, char *text, size_t *n, size_t size, const char *word) {
    const time_t until = time(NULL) + 20;
    while (!strstr(text, word)) {
        const ssize_t got = *n + 1 < size ? client_read(fd, text + *n, size - *n - 1, 3000) : -1;
        if (got <= 0 || time(NULL) > until)
            return false;
        *n += (size_t)got;
        text[*n] = '\0';
    }
    return true;
}

typedef struct client_reply {
    int status; /* 0: no answer */
    char text[65536];
    const char *body;
} client_reply;

/* Sends a whole request, headers end with \r\n, and reads until the server closes. */
static inline const client_reply *client_ask(int port, const char *method, const char *path,
                                             const char *headers, const char *body) {
    static client_reply reply;
    static char request[8192];
    reply.status = 0;
    reply.text[0] = '\0';
    reply.body = "";
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", method, path,
             headers, strlen(body), body);
    const int fd = client_connect(port, 0);
    if (fd < 0)
        return &reply;
    size_t n = 0;
    if (client_send(fd, request))
        for (ssize_t got;
             n + 1 < sizeof reply.text &&
             (got = client_read(fd, reply.text + n, sizeof reply.text - n - 1, 3000)) > 0;)
            n += (size_t)got;
    close(fd);
    reply.text[n] = '\0';
    const char *end = strstr(reply.text, "\r\n\r\n");
    if (end && sscanf(reply.text, "HTTP/1.1 %d", &reply.status) == 1)
        reply.body = end + 4;
    return &reply;
}

static inline bool client_reply_has(const client_reply *reply, const char *header_line) {
    const char *found = strstr(reply->text, header_line);
    return found && found < reply->body;
}

#endif
