#include "output_name.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int length_without_extension(const char *name) {
    const char *dot = strrchr(name, '.');
    return (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

char *output_name_numbered(const char *begin, int length, int digits, int number, const char *path,
                           const char *extension) {
    const char *name = file_name(path);
    const size_t size = (size_t)length + strlen(name) + strlen(extension) + 40;
    char *made = gdrq_alloc(size, 1);
    if (made)
        snprintf(made, size, "%.*s%s%0*d_%.*s%s", length, begin,
                 length && begin[length - 1] == '/' ? "" : "_", digits, number,
                 length_without_extension(name), name, extension);
    return made;
}
