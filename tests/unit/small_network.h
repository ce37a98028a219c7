/* Networks from cfg text in a temporary file, with random contents, for tests. */
#ifndef TESTS_SMALL_NETWORK_H
#define TESTS_SMALL_NETWORK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "darknet.h"
#include "gdrq.h"
#include "random_data.h"

/* Writes bytes to a new temporary file, to be discarded; returns its name. */
static inline char *temporary_file(const void *bytes, size_t n) {
    char *name = strdup("/tmp/gdrq-test-XXXXXX");
    const int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    close(fd);
    return name;
}

/* Removes such a file, and frees its name. */
static inline void discard(char *path) {
    unlink(path);
    free(path);
}

/* Parses; fails the test on an error. */
static inline network *parse_text(const char *text) {
    char *name = temporary_file(text, strlen(text));
    network *net;
    gdrq_error err = {{0}};
    if (gdrq_network_parse(name, NULL, NULL, &net, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    discard(name);
    return net;
}

/* Parses what must not parse; returns the message. */
static inline gdrq_error parse_bad_text(const char *text) {
    char *name = temporary_file(text, strlen(text));
    network *net;
    gdrq_error err = {{0}};
    assert_int_not_equal(gdrq_network_parse(name, NULL, NULL, &net, &err), GDRQ_OK);
    assert_null(net);
    unlink(name);
    free(name);
    return err;
}

/* Random weights, biases, scales and statistics in all convolutional and connected layers. */
static inline void randomise(network *net) {
    for (int i = 0; i < net->n; ++i) {
        layer *l = &net->layers[i];
        if (l->type != CONVOLUTIONAL && l->type != CONNECTED)
            continue;
        const int filters = l->out_c;
        const int per_filter = l->type == CONNECTED ? l->inputs : l->nweights / filters;
        const float deviation = 1.f / sqrtf((float)per_filter);
        for (int k = 0; k < filters * per_filter; ++k)
            l->weights[k] = deviation * random_normal();
        for (int k = 0; k < filters; ++k) {
            l->biases[k] = .2f * random_normal();
            if (!l->batch_normalize)
                continue;
            l->scales[k] = .5f + (float)random_unit();
            l->rolling_mean[k] = .1f * random_normal();
            l->rolling_variance[k] = .5f + (float)random_unit();
        }
    }
}

/* Pixels c/255 in net->input. */
static inline void random_pixels(network *net) {
    for (int i = 0; i < net->inputs * net->batch; ++i)
        net->input[i] = (float)random_int(0, 255) / 255.f;
}

#endif
