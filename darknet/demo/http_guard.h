/*
 * Which requests are answered. A page of another origin must not use a visitor's browser to reach
 * this server: not under a name of its own that it lets point here (DNS rebinding), nor by sending
 * forms across.
 */
#ifndef DEMO_HTTP_GUARD_H
#define DEMO_HTTP_GUARD_H

#include <stdbool.h>

/*
 * Whether a Host header means this machine: localhost, an IP address, the address that the server
 * is bound to, or the machine's own name, alone or in .local. NULL, no header, is a program of old.
 */
bool http_host_allowed(const char *host, const char *bound);

/* Whether Origin and Sec-Fetch-Site, NULL where missing, allow a change: none is sent by programs,
 * which may do as they like. */
bool http_same_origin(const char *host, const char *origin, const char *fetch_site);

#endif
