/*
 * A list of images: a text file with one path per line. Relative paths are relative to the current
 * folder, as in the host. Blank lines do not count.
 */
#ifndef DATA_IMAGE_LIST_H
#define DATA_IMAGE_LIST_H

#include "data/text_lines.h"
#include "gdrq.h"

typedef struct image_list {
    char **paths; /* each at most TEXT_LONGEST_PATH bytes */
    int n;        /* at least 1 */
    text_lines text;
} image_list;

/* A list without a path is an error. On failure *list is empty. Free with image_list_free(). */
gdrq_status image_list_read(const char *path, image_list *list, gdrq_error *err);

void image_list_free(image_list *list);

/* Whether the path is a file's at all. */
gdrq_status image_file_check(const char *path, gdrq_error *err);

/*
 * Checks every image of the list. On failure the message is the first problem's, with the number of
 * further images that have one.
 */
typedef gdrq_status image_check(const void *user, const image_list *list, int i, gdrq_error *err);
gdrq_status image_list_check(const image_list *list, image_check *check, const void *user,
                             gdrq_error *err);

/* What such a check says, which may have been another's: `bad` of the images have a problem. */
gdrq_status image_list_verdict(const image_list *list, int bad, gdrq_status first,
                               const gdrq_error *problem, gdrq_error *err);

#endif
