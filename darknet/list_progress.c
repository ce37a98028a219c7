#include "list_progress.h"

#include <stdio.h>
#include <unistd.h>

enum { LINE_EVERY = 500 /* images */ };

bool list_progress(void *unused, int done, int total) {
    (void)unused;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%d/%d images%s", done, total, done == total ? "\n" : "");
    else if (done == total || done % LINE_EVERY == 0)
        fprintf(stderr, "%d/%d images\n", done, total);
    return true;
}
