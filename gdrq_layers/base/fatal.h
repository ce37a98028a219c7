/*
 * The end of the line for an error that the host's signature can't carry (hooks and layer
 * functions return void): one line to stderr, then exit status 1. Nothing else in the library exits
 * or prints.
 */
#ifndef GDRQ_BASE_FATAL_H
#define GDRQ_BASE_FATAL_H

#include "gdrq.h"

/* May be called from any thread: buffers are flushed, exit handlers are not run. */
_Noreturn void gdrq_fatal(const gdrq_error *err);

/* Ends the program unless status is GDRQ_OK. */
static inline void gdrq_must(gdrq_status status, const gdrq_error *err) {
    if (status != GDRQ_OK)
        gdrq_fatal(err);
}

#endif
