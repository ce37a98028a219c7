/* Rewriting a cfg line by line, so that what need not change stays byte for byte. */
#ifndef GDRQ_HOST_CFG_TEXT_H
#define GDRQ_HOST_CFG_TEXT_H

#include "gdrq.h"
#include "host/outline.h"

#include <stdio.h>

/* Bytes of a cfg file; larger ones are refused. */
#define GDRQ_MAX_CFG_SIZE (16 << 20)

/* A line of the file with its end, which is "\r\n", "\n" or, in the last line, nothing. */
typedef struct gdrq_line {
    const char *text, *end;
    size_t n; /* the end included */
} gdrq_line;

/* The line that begins at `text`; the file ends at `stop`. */
gdrq_line gdrq_line_at(const char *text, const char *stop);

/* Adds a line behind `before`, with that one's end, or behind `usual` where it has none. */
void gdrq_insert_after(FILE *out, const gdrq_line *before, const char *usual, const char *format,
                       ...) GDRQ_PRINTF(4, 5);

/* A section's first line with another name in its brackets. */
void gdrq_write_header(FILE *out, const gdrq_line *header, const char *name);

/*
 * Collects what `write` writes, which must be a cfg that this library reads; errors name `path`,
 * where it will be. *outline (may be NULL) is what it says; *text is n bytes. Free both.
 */
typedef void gdrq_write_cfg(const void *user, FILE *out);
gdrq_status gdrq_cfg_text_make(const char *path, gdrq_write_cfg *write, const void *user,
                               char **text, size_t *n, gdrq_outline *outline, gdrq_error *err);

/* gdrq_cfg_text_make(), and the file `path` is replaced by it. */
gdrq_status gdrq_cfg_text_save(const char *path, gdrq_write_cfg *write, const void *user,
                               gdrq_error *err);

/* n bytes of text for a file; a gdrq_write_fn, path is used in messages only. */
typedef struct gdrq_cfg_output {
    const char *path, *text;
    size_t n;
} gdrq_cfg_output;
gdrq_status gdrq_cfg_text_write_to(void *output, int fd, gdrq_error *err);

#endif
