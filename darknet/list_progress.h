/* How far a command is with a list of images: on a terminal one line that counts, else now and
 * then a line. */
#ifndef DARKNET_LIST_PROGRESS_H
#define DARKNET_LIST_PROGRESS_H

#include <stdbool.h>

/* After image number `done` of `total`, on stderr. Has the form of callbacks; returns true. */
bool list_progress(void *unused, int done, int total);

#endif
