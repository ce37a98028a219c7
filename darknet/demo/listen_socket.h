/* A TCP socket that waits for connections. */
#ifndef DEMO_LISTEN_SOCKET_H
#define DEMO_LISTEN_SOCKET_H

#include "gdrq.h"

/*
 * Listens on an address or host name and a port, any free one if that is 0. Connections inherit its
 * settings: little is buffered for a client, and one that vanished without a word is noticed.
 * *socket_fd is to be closed, *bound_port what was found.
 */
gdrq_status listen_socket_open(const char *address, int port, int *socket_fd, int *bound_port,
                               gdrq_error *err);

#endif
