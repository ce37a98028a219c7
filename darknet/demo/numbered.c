#include "demo/numbered.h"

#include "base/alloc.h"
#include "base/same_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_DIGITS = 8 };

void numbered_name(const char *prefix, unsigned long number, char *name, size_t size) {
    snprintf(name, size, "%s_%0*lu.jpg", prefix, LEAST_DIGITS, number);
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Whether prefix and end make a name of the same file as path. */
static bool is_joined(const char *prefix, const char *end, const char *path) {
    const size_t size = strlen(prefix) + strlen(end) + 1;
    char *joined = gdrq_alloc(size, 1);
    if (!joined)
        return true; /* rather refused than replaced */
    snprintf(joined, size, "%s%s", prefix, end);
    const bool same = gdrq_same_file(joined, path);
    free(joined);
    return same;
}

static bool is_named_so(const char *prefix, const char *path) {
    const char *name = last_part(path), *start = last_part(prefix);
    const size_t n = strlen(start);
    if (strncmp(name, start, n) != 0 || name[n] != '_')
        return false;
    const size_t digits = strspn(name + n + 1, "0123456789");
    return digits >= LEAST_DIGITS && !strcmp(name + n + 1 + digits, ".jpg") &&
           is_joined(prefix, name + n, path);
}

bool numbered_can_be(const char *prefix, const char *path) {
    char *real = realpath(path, NULL);
    const bool can = is_named_so(prefix, path) || (real && is_named_so(prefix, real));
    free(real);
    return can;
}
