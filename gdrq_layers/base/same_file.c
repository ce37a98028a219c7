#include "base/same_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

/* The inode of the folder that holds a path. */
static bool stat_folder(const char *path, struct stat *st) {
    const char *slash = strrchr(path, '/');
    char *folder =
        slash ? gdrq_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : gdrq_strdup(".");
    const bool ok = folder && stat(folder, st) == 0;
    free(folder);
    return ok;
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool gdrq_same_file(const char *a, const char *b) {
    struct stat x, y;
    const bool a_exists = stat(a, &x) == 0, b_exists = stat(b, &y) == 0;
    if (a_exists || b_exists)
        return a_exists && b_exists && is_same(&x, &y);
    return stat_folder(a, &x) && stat_folder(b, &y) && is_same(&x, &y) &&
           !strcmp(name_of(a), name_of(b));
}
