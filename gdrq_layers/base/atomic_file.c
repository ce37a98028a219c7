#include "gdrq.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
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

/* The rename itself must reach the disk too: sync the folder that holds the name. */
static void sync_folder_of(const char *path) {
    char *folder = gdrq_strdup(path);
    if (!folder)
        return;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    const int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

/* A new file; unlike mkstemp's it has the mode that the umask gives. Fills in the name's last 8. */
static int create_temporary(char *name) {
    char *digits = name + strlen(name) - 8;
    int fd = -1;
    for (int tries = 0; fd < 0 && tries < 100; ++tries) {
        unsigned random;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return -1;
        sprintf(digits, "%08x", random);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            return -1;
    }
    return fd;
}

/* The mode of the file that it will replace, if there is one. */
static void keep_mode(int fd, const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && fchmod(fd, st.st_mode & 07777) != 0)
        errno = 0; /* some file systems have no modes; the content matters */
}

static gdrq_status write_and_rename(const char *path, char *temporary, gdrq_write_fn *write,
                                    void *user, gdrq_error *err) {
    const int fd = create_temporary(temporary);
    if (fd < 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't create a file beside it", path);
    gdrq_status status = write(user, fd, err);
    if (status == GDRQ_OK) {
        keep_mode(fd, path);
        if (fsync(fd) != 0)
            status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", path);
    }
    if (close(fd) != 0 && status == GDRQ_OK)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", path);
    if (status == GDRQ_OK && rename(temporary, path) != 0)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't replace it", path);
    if (status != GDRQ_OK)
        unlink(temporary);
    else
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
