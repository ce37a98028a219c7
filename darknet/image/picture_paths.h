/* Pictures that a user named in one word: a picture, a folder of them, or a file that lists them.
 */
#ifndef DARKNET_IMAGE_PICTURE_PATHS_H
#define DARKNET_IMAGE_PICTURE_PATHS_H

#include "gdrq.h"

typedef struct picture_paths {
    char **at; /* each from malloc() */
    int n;
} picture_paths;

/*
 * A folder is not descended into; its pictures are sorted by name. No picture is an error. On
 * failure *paths is empty. Free with picture_paths_free().
 */
gdrq_status picture_paths_find(const char *what, picture_paths *paths, gdrq_error *err);

/* The pictures whose names match a shell's pattern, sorted; otherwise the same. */
gdrq_status picture_paths_match(const char *pattern, picture_paths *paths, gdrq_error *err);

/* Whether the name is that of a picture, or of a file that lists some (.txt). */
bool picture_paths_knows(const char *name);

void picture_paths_free(picture_paths *paths);

#endif
