#include "demo/listen_socket.h"

#include "base/status.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SEND_BUFFER = 128 << 10, /* bytes: a few pictures, so that a slow client's are not old */
    KEEPALIVE_IDLE = 10,     /* seconds of silence before the first probe, */
    KEEPALIVE_INTERVAL = 5,  /* between probes, */
    KEEPALIVE_PROBES = 3     /* and how many may stay unanswered */
};

static bool set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool configure(int fd) {
    return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER) &&
           set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE) &&
           set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL) &&
           set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static int port_of(int fd) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return -1;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

gdrq_status listen_socket_open(const char *address, int port, int *socket_fd, int *bound_port,
                               gdrq_error *err) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo *found;
    const int error = getaddrinfo(address, service, &hints, &found);
    if (error != 0)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "can't listen on '%s': %s; give an address of this machine", address,
                         gai_strerror(error));
    gdrq_status status = GDRQ_OK;
    const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0 || !configure(fd) || bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
        listen(fd, SOMAXCONN) != 0 || (*bound_port = port_of(fd)) < 0) {
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "can't listen on %s, port %d", address, port);
        if (fd >= 0)
            close(fd);
    } else {
        *socket_fd = fd;
    }
    freeaddrinfo(found);
    return status;
}
