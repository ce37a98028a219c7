/* Small files that are read whole: cfgs, class trees, class maps. */
#ifndef GDRQ_HOST_TEXT_FILE_H
#define GDRQ_HOST_TEXT_FILE_H

#include "gdrq.h"

/*
 * Reads a regular file of at most `max` bytes. *text is allocated (free() it) and ends with a zero
 * byte that *n does not count; the content may hold zero bytes as well. Errors: GDRQ_ERROR_IO,
 * GDRQ_ERROR_FORMAT when it is larger, GDRQ_ERROR_MEMORY.
 */
gdrq_status gdrq_text_file_read(const char *path, size_t max, char **text, size_t *n,
                                gdrq_error *err);

#endif
