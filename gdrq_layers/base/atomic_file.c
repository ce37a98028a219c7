#include "gdrq.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Follows a symbolic link, so that the link stays and its target is replaced. Caller frees. */
static char *final_path(const char *path) {
    char *real = realpath(path, NULL);
    return real ? real : gdrq_strdup(path);
}

/* Opens the folder that holds `path` with these flags. */
static int open_folder_of(const char *path, int flags) {
    char *folder = gdrq_strdup(path);
    if (!folder)
        return -1;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    const int fd = open(slash ? folder : ".", flags | O_CLOEXEC, 0666);
    free(folder);
    return fd;
}

/* The rename itself must reach the disk too: sync the folder that holds the name. */
static void sync_folder_of(const char *path) {
    const int fd = open_folder_of(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/*
 * Fills in the last 8 digits of name so that `make` succeeds, which fails with EEXIST while the
 * name is taken. false: errno tells why.
 */
typedef bool make_named(const char *name, int *fd);
static bool under_free_name(char *name, make_named *make, int *fd) {
    char *digits = name + strlen(name) - 8;
    for (int tries = 0; tries < 100; ++tries) {
        unsigned random;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return false;
        sprintf(digits, "%08x", random);
        if (make(name, fd))
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

/* Unlike mkstemp's, the file has the mode that the umask gives. */
static bool create(const char *name, int *fd) {
    *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return *fd >= 0;
}

static bool link_unnamed(const char *name, int *fd) {
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", *fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
}

/* The mode of the file that it will replace, if there is one. */
static void keep_mode(int fd, const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && fchmod(fd, st.st_mode & 07777) != 0)
        errno = 0; /* some file systems have no modes; the content matters */
}

static gdrq_status fill(int fd, const char *path, gdrq_write_fn *write, void *user,
                        gdrq_error *err) {
    const gdrq_status status = write(user, fd, err);
    if (status != GDRQ_OK)
        return status;
    keep_mode(fd, path);
    return fsync(fd) == 0 ? GDRQ_OK : gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", path);
}

/*
 * Where the file system can, the file has no name until it is complete: a process that is killed
 * leaves nothing behind.
 */
static gdrq_status write_and_rename(const char *path, char *temporary, gdrq_write_fn *write,
                                    void *user, gdrq_error *err) {
    int fd = access("/proc/self/fd", X_OK) == 0 ? open_folder_of(path, O_WRONLY | O_TMPFILE) : -1;
    bool named = false;
    const bool unnamed = fd >= 0;
    if (!unnamed && !(named = under_free_name(temporary, create, &fd)))
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't create a file beside it", path);
    gdrq_status status = fill(fd, path, write, user, err);
    if (status == GDRQ_OK && unnamed && !(named = under_free_name(temporary, link_unnamed, &fd)))
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't create a file beside it", path);
    if (close(fd) != 0 && status == GDRQ_OK)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", path);
    if (status == GDRQ_OK && rename(temporary, path) != 0)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't replace it", path);
    if (status != GDRQ_OK && named)
        unlink(temporary);
    if (status == GDRQ_OK)
        sync_folder_of(path);
    return status;
}

/* A device or pipe has no content to protect, and must not be renamed away: write into it. */
static gdrq_status write_in_place(const char *path, gdrq_write_fn *write, void *user,
                                  gdrq_error *err) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open for writing", path);
    gdrq_status status = write(user, fd, err);
    if (close(fd) != 0 && status == GDRQ_OK)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", path);
    return status;
}

gdrq_status gdrq_write_atomically(const char *path, gdrq_write_fn *write, void *user,
                                  gdrq_error *err) {
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return write_in_place(path, write, user, err);
    char *target = final_path(path);
    char *temporary = target ? gdrq_alloc(strlen(target) + 16, 1) : NULL;
    gdrq_status status;
    if (!temporary) {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    } else {
        sprintf(temporary, "%s.tmp-00000000", target);
        status = write_and_rename(target, temporary, write, user, err);
    }
    free(temporary);
    free(target);
    return status;
}
