#include "demo/http_guard.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_NAME = 255 }; /* of a host, RFC 1035 */

/* The name without the port and, of an IPv6 address, the brackets. */
static bool split_name(const char *host, char name[LONGEST_NAME + 1], bool *bracketed) {
    *bracketed = host[0] == '[';
    const char *begin = host + *bracketed;
    const size_t n = strcspn(begin, *bracketed ? "]" : ":");
    if (n > LONGEST_NAME || (*bracketed && begin[n] != ']'))
        return false;
    const char *port = begin + n + *bracketed;
    if (*port && (*port != ':' || strspn(port + 1, "0123456789") != strlen(port + 1)))
        return false;
    memcpy(name, begin, n);
    name[n] = '\0';
    return true;
}

/* A name that only this machine and its local network give; a page elsewhere can't take it. */
static bool is_own_name(const char *name) {
    char own[LONGEST_NAME + 1];
    if (gethostname(own, sizeof own) != 0)
        return false;
    own[sizeof own - 1] = '\0';
    const size_t n = strlen(own);
    return strncasecmp(name, own, n) == 0 && (!name[n] || strcasecmp(name + n, ".local") == 0);
}

bool http_host_allowed(const char *host, const char *bound) {
    char name[LONGEST_NAME + 1];
    bool bracketed;
    if (!host)
        return true;
    if (!split_name(host, name, &bracketed))
        return false;
    struct in6_addr address;
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, name, &address) == 1)
        return true;
    return !bracketed && (strcasecmp(name, "localhost") == 0 || strcasecmp(name, bound) == 0 ||
                          is_own_name(name));
}

bool http_same_origin(const char *host, const char *origin, const char *fetch_site) {
    static const char scheme[] = "http://";
    if (fetch_site && strcmp(fetch_site, "same-origin") != 0 && strcmp(fetch_site, "none") != 0)
        return false;
    return !origin || (host && strncmp(origin, scheme, sizeof scheme - 1) == 0 &&
                       strcasecmp(origin + sizeof scheme - 1, host) == 0);
}
