/* Folders for results: whether the work's end will find a place for what it made. */
#ifndef DATA_FOLDER_H
#define DATA_FOLDER_H

#include "gdrq.h"

/*
 * Makes the folder, and those above it, where missing, and tries whether files can be made in it:
 * permissions alone don't tell (read-only mounts, /proc). `what` names it in messages: "results
 * folder".
 */
gdrq_status folder_prepare(const char *folder, const char *what, gdrq_error *err);

/*
 * Whether a file can be made, or replaced, at `path`, as far as can be told without touching it.
 * Devices and pipes pass.
 */
gdrq_status folder_check_file(const char *path, gdrq_error *err);

/* The same, and it must be none of the n files that are read, of which some may be NULL. */
gdrq_status folder_check_output(const char *path, const char *const *inputs, int n,
                                gdrq_error *err);

#endif
