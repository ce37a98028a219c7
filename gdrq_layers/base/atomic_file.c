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

/* A file on its way: complete under another name, or under none, until it is put in place. */
typedef struct pending {
    const gdrq_output *output;
    bool in_place; /* a device or pipe: no content to protect, and not to be renamed away */
    char *target, *temporary; /* names */
    int fd;
    bool named; /* the temporary name exists */
} pending;

/*
 * Where the file system can, the file has no name until it is complete: a process that is killed
 * leaves nothing behind.
 */
static gdrq_status fill_pending(pending *p, gdrq_error *err) {
    const gdrq_output *o = p->output;
    p->fd =
        access("/proc/self/fd", X_OK) == 0 ? open_folder_of(p->target, O_WRONLY | O_TMPFILE) : -1;
    const bool unnamed = p->fd >= 0;
    if (!unnamed && !(p->named = under_free_name(p->temporary, create, &p->fd)))
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't create a file beside it", p->target);
    gdrq_status status = fill(p->fd, p->target, o->write, o->user, err);
    if (status == GDRQ_OK && unnamed &&
        !(p->named = under_free_name(p->temporary, link_unnamed, &p->fd)))
        status =
            gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't create a file beside it", p->target);
    const int fd = p->fd;
    p->fd = -1;
    if (close(fd) != 0 && status == GDRQ_OK)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", p->target);
    return status;
}

static gdrq_status write_in_place(const gdrq_output *o, gdrq_error *err) {
    const int fd = open(o->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open for writing", o->path);
    gdrq_status status = o->write(o->user, fd, err);
    if (close(fd) != 0 && status == GDRQ_OK)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", o->path);
    return status;
}

static gdrq_status prepare(pending *p, const gdrq_output *output, gdrq_error *err) {
    struct stat st;
    *p = (pending){.output = output, .fd = -1};
    if (stat(output->path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        p->in_place = true;
        return write_in_place(output, err);
    }
    p->target = final_path(output->path);
    p->temporary = p->target ? gdrq_alloc(strlen(p->target) + 16, 1) : NULL;
    if (!p->temporary)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", output->path);
    sprintf(p->temporary, "%s.tmp-00000000", p->target);
    return fill_pending(p, err);
}

static gdrq_status put_in_place(pending *p, gdrq_error *err) {
    if (p->in_place)
        return GDRQ_OK;
    if (rename(p->temporary, p->target) != 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't replace it", p->target);
    p->named = false;
    sync_folder_of(p->target);
    return GDRQ_OK;
}

static void discard(pending *p) {
    if (p->fd >= 0)
        close(p->fd);
    if (p->named)
        unlink(p->temporary);
    free(p->temporary);
    free(p->target);
}

gdrq_status gdrq_write_files_atomically(const gdrq_output *outputs, int n, gdrq_error *err) {
    pending *files = gdrq_alloc((size_t)n, sizeof *files);
    if (!files)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", outputs[0].path);
    gdrq_status status = GDRQ_OK;
    int prepared = 0;
    while (status == GDRQ_OK && prepared < n) {
        status = prepare(&files[prepared], &outputs[prepared], err);
        prepared++;
    }
    for (int i = 0; status == GDRQ_OK && i < n; i++)
        status = put_in_place(&files[i], err);
    for (int i = 0; i < prepared; i++)
        discard(&files[i]);
    free(files);
    return status;
}

gdrq_status gdrq_write_atomically(const char *path, gdrq_write_fn *write, void *user,
                                  gdrq_error *err) {
    const gdrq_output output = {path, write, user};
    return gdrq_write_files_atomically(&output, 1, err);
}
