#include "host/cfg_text.h"

#include "base/status.h"
#include "base/write_all.h"
#include "host/tensor_class.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

gdrq_line gdrq_line_at(const char *text, const char *stop) {
    const char *newline = memchr(text, '\n', (size_t)(stop - text));
    if (!newline)
        return (gdrq_line){text, "", (size_t)(stop - text)};
    const bool crlf = newline > text && newline[-1] == '\r';
    return (gdrq_line){text, crlf ? "\r\n" : "\n", (size_t)(newline + 1 - text)};
}

void gdrq_insert_after(FILE *out, const gdrq_line *before, const char *usual, const char *format,
                       ...) {
    va_list args;
    va_start(args, format);
    if (!*before->end)
        fputs(usual, out);
    vfprintf(out, format, args);
    fputs(before->end, out);
    va_end(args);
}

void gdrq_write_header(FILE *out, const gdrq_line *header, const char *name) {
    const char *open = memchr(header->text, '[', header->n);
    const char *close = memchr(open, ']', header->n - (size_t)(open - header->text));
    fwrite(header->text, 1, (size_t)(open - header->text), out);
    fprintf(out, "[%s]", name);
    fwrite(close + 1, 1, header->n - (size_t)(close + 1 - header->text), out);
}

gdrq_status gdrq_cfg_text_make(const char *path, gdrq_write_cfg *write, const void *user,
                               char **text, size_t *n, gdrq_outline *outline, gdrq_error *err) {
    gdrq_outline unused;
    *text = NULL;
    FILE *out = open_memstream(text, n);
    if (!out)
        return gdrq_fail_errno(err, GDRQ_ERROR_MEMORY, "%s: can't write", path);
    write(user, out);
    const bool failed = ferror(out) != 0;
    gdrq_status status =
        fclose(out) != 0 || failed
            ? gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path)
            : gdrq_outline_parse(path, *text, *n, outline ? outline : &unused, err);
    if (status == GDRQ_OK && !outline)
        gdrq_outline_free(&unused);
    if (status != GDRQ_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

gdrq_status gdrq_cfg_text_write_to(void *user, int fd, gdrq_error *err) {
    const gdrq_cfg_output *o = user;
    if (!gdrq_write_all(fd, o->text, o->n))
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", o->path);
    return GDRQ_OK;
}

/* What an outline alone does not show: readers of one tensor that disagree. */
static gdrq_status check_tensors(const gdrq_outline *outline, gdrq_error *err) {
    gdrq_tensor_classes classes;
    const gdrq_status status = gdrq_tensor_classes_build(outline, &classes, err);
    if (status == GDRQ_OK)
        gdrq_tensor_classes_free(&classes);
    return status;
}

gdrq_status gdrq_cfg_text_save(const char *path, gdrq_write_cfg *write, const void *user,
                               gdrq_error *err) {
    char *text;
    size_t n;
    gdrq_outline outline;
    gdrq_status status = gdrq_cfg_text_make(path, write, user, &text, &n, &outline, err);
    if (status != GDRQ_OK)
        return status;
    status = check_tensors(&outline, err);
    gdrq_outline_free(&outline);
    gdrq_cfg_output output = {path, text, n};
    if (status == GDRQ_OK)
        status = gdrq_write_atomically(path, gdrq_cfg_text_write_to, &output, err);
    free(text);
    return status;
}
