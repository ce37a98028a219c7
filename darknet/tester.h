/* The work of `darknet detector test` and `darknet detect`: pictures in, what is found out. */
#ifndef DARKNET_TESTER_H
#define DARKNET_TESTER_H

#include <stdbool.h>

typedef struct test_options {
    float thresh, hier;
    const char *out;    /* a picture's name, or one that ends in .json; NULL: predictions */
    const char *prefix; /* numbered pictures' names begin with it; NULL: with out */
    bool ext_output, save_labels, force, benchmark;
} test_options;

/*
 * `image` is a picture, a folder of them or a file that lists them; NULL asks for names on standard
 * input. Returns the exit status; errors are reported. Of several pictures, one that can't be read
 * does not keep the others from being done.
 */
int test_run(const char *data_path, const char *cfg_path, const char *weights_path,
             const char *image, const test_options *options);

#endif
