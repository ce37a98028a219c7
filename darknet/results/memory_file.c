#include "results/memory_file.h"

#include "base/status.h"
#include "base/write_all.h"

#include <stdlib.h>

gdrq_status memory_file_open(memory_file *file, gdrq_error *err) {
    *file = (memory_file){0};
    file->stream = open_memstream(&file->text, &file->n);
    return file->stream ? GDRQ_OK
                        : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a file's content");
}

typedef struct content {
    const char *path;
    const memory_file *file;
} content;

static gdrq_status write_content(void *user, int fd, gdrq_error *err) {
    const content *c = user;
    return gdrq_write_all(fd, c->file->text, c->file->n)
               ? GDRQ_OK
               : gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", c->path);
}

gdrq_status memory_file_save(memory_file *file, const char *path, gdrq_error *err) {
    const bool failed = ferror(file->stream);
    const bool complete = fclose(file->stream) == 0 && !failed;
    file->stream = NULL;
    if (!complete)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory for its content", path);
    content c = {path, file};
    return gdrq_write_atomically(path, write_content, &c, err);
}

void memory_file_free(memory_file *file) {
    if (file->stream)
        fclose(file->stream);
    free(file->text);
    *file = (memory_file){0};
}
