#include "base/fatal.h"

#include <stdio.h>
#include <unistd.h>

void gdrq_fatal(const gdrq_error *err) {
    fflush(stdout);
    fprintf(stderr, "gdrq: %s\n", err->message);
    fflush(stderr);
    _exit(1);
}
