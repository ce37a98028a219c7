#include "host/text_file.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* `size` is what the file's size was; one that shrinks meanwhile gives less. */
static gdrq_status read_all(const char *path, int fd, size_t size, char **text, size_t *n,
                            gdrq_error *err) {
    char *buffer = gdrq_alloc(size + 1, 1);
    if (!buffer)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    size_t done = 0;
    while (done < size) {
        const ssize_t got = read(fd, buffer + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            const gdrq_status status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read", path);
            free(buffer);
            return status;
        }
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *text = buffer;
    *n = done;
    return GDRQ_OK;
}

gdrq_status gdrq_text_file_read(const char *path, size_t max, char **text, size_t *n,
                                gdrq_error *err) {
    /* Opening a pipe that nobody writes to must not wait forever. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open", path);
    struct stat st;
    gdrq_status status;
    if (fstat(fd, &st) != 0)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read", path);
    else if (!S_ISREG(st.st_mode))
        status = gdrq_fail(err, GDRQ_ERROR_IO, "%s: is no regular file", path);
    else if ((size_t)st.st_size > max)
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: larger than %zu bytes: the wrong file?",
                           path, max);
    else
        status = read_all(path, fd, (size_t)st.st_size, text, n, err);
    close(fd);
    return status;
}
