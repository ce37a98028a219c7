/* Work on pictures of which some may be bad. */
#ifndef DARKNET_EACH_PICTURE_H
#define DARKNET_EACH_PICTURE_H

#include "image/picture_paths.h"

/* *unreadable (false before) becomes true if a failure is that the picture could not be read. */
typedef gdrq_status picture_work(void *user, const char *path, bool *unreadable, gdrq_error *err);

/*
 * Goes on behind pictures that can't be read, which are reported, and fails at the end, with their
 * number; what else fails would do so every time, and ends it.
 */
gdrq_status each_picture(const picture_paths *paths, picture_work *work, void *user,
                         gdrq_error *err);

#endif
