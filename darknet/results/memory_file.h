/* A file that is printed to in memory and then written at once, complete or not at all. */
#ifndef RESULTS_MEMORY_FILE_H
#define RESULTS_MEMORY_FILE_H

#include "gdrq.h"

#include <stdio.h>

typedef struct memory_file {
    FILE *stream; /* to print to; NULL once saved */
    char *text;
    size_t n;
} memory_file;

/* On failure *file is empty. Free with memory_file_free(). */
gdrq_status memory_file_open(memory_file *file, gdrq_error *err);

/* Ends the printing and replaces the file `path`. Memory that ran out on the way is an error. */
gdrq_status memory_file_save(memory_file *file, const char *path, gdrq_error *err);

void memory_file_free(memory_file *file);

#endif
