#include "data/folder.h"

#include "base/alloc.h"
#include "base/same_file.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As mkdir -p; cuts path at its slashes for a while. */
static gdrq_status make_all(char *path, const char *what, gdrq_error *err) {
    for (char *slash = path; slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        const bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        if (!made)
            return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't make the %s", path, what);
        if (slash)
            *slash = '/';
    }
    return GDRQ_OK;
}

static gdrq_status try_to_write(const char *folder, const char *what, gdrq_error *err) {
    const size_t size = strlen(folder) + sizeof "/.probe-XXXXXX";
    char *name = gdrq_alloc(size, 1);
    if (!name)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", folder);
    snprintf(name, size, "%s/.probe-XXXXXX", folder);
    const int fd = mkstemp(name);
    gdrq_status status = GDRQ_OK;
    if (fd < 0) {
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write into the %s", folder, what);
    } else {
        close(fd);
        unlink(name);
    }
    free(name);
    return status;
}

gdrq_status folder_prepare(const char *folder, const char *what, gdrq_error *err) {
    char *path = gdrq_strdup(folder);
    if (!path)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", folder);
    gdrq_status status = make_all(path, what, err);
    free(path);
    return status == GDRQ_OK ? try_to_write(folder, what, err) : status;
}

gdrq_status folder_check_file(const char *path, gdrq_error *err) {
    struct stat st;
    const bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return gdrq_fail(err, GDRQ_ERROR_IO, "%s: is a folder, but a file is to be written there",
                         path);
    if (exists && !S_ISREG(st.st_mode))
        return GDRQ_OK;
    char *folder = gdrq_strdup(path);
    if (!folder)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    gdrq_error reason;
    gdrq_status status = try_to_write(slash ? folder : ".", "folder", &reason);
    if (status != GDRQ_OK)
        status = gdrq_fail(err, status, "%.300s: can't be written: %.600s", path, reason.message);
    free(folder);
    return status;
}

gdrq_status folder_check_output(const char *path, const char *const *inputs, int n,
                                gdrq_error *err) {
    for (int i = 0; i < n; i++)
        if (inputs[i] && gdrq_same_file(path, inputs[i]))
            return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                             "%s would be replaced: give the result another name", inputs[i]);
    return folder_check_file(path, err);
}
