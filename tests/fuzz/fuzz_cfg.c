/*
 * cfgs: text to outline, translation and tensor classes; and where the network is small, through
 * the host's parser, which must find nothing to object to in what the outline accepts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "host/attach.h"
#include "host/outline.h"
#include "host/section_value.h"
#include "host/tensor_class.h"

static void check(int ok) {
    if (!ok)
        abort();
}

/* Numbers that the host allocates for by themselves: boxes, classes, anchors. */
static int has_large_numbers(const gdrq_cfg *cfg) {
    for (int i = 0; i < cfg->n; i++)
        for (int k = 0; k < cfg->sections[i].n; k++)
            if (strtod(cfg->sections[i].options[k].value, NULL) > 1024)
                return 1;
    return 0;
}

/* Floats of a layer's weights, or more; `before` is what it reads. */
static double count_weights(const gdrq_outline_layer *l, double before) {
    const double size = l->size ? l->size : gdrq_value_int(l->section, "size", 1);
    const double outputs = l->outputs;
    switch (l->type) {
    case CONVOLUTIONAL:
    case DECONVOLUTIONAL:
        return size * size * l->c * l->filters;
    case LOCAL:
        return size * size * l->c * outputs;
    case CONNECTED:
        return before * outputs;
    case RNN:
    case GRU:
    case LSTM:
        return 8 * (before + outputs) * outputs;
    case CRNN: {
        const double hidden = gdrq_value_int(l->section, "hidden_filters", 1);
        return 10 * (before + outputs) * hidden + 10 * hidden * (hidden + before);
    }
    default:
        return 0;
    }
}

/* An upper bound for what the host takes memory and time for, roughly. */
static double count_floats(const gdrq_outline *o) {
    double floats = (double)o->inputs * o->batch, before = o->inputs;
    for (int i = 0; i < o->n; i++) {
        const gdrq_outline_layer *l = &o->layers[i];
        floats += count_weights(l, before) + (double)l->workspace / 4;
        floats += (double)o->batch * (6 * (double)l->outputs + 10 * 1024);
        before = l->outputs > l->inputs ? l->outputs : l->inputs;
    }
    return floats;
}

static int is_small(const gdrq_outline *o) {
    return !has_large_numbers(&o->cfg) && count_floats(o) < 1 << 20;
}

static void note(void *user, const char *line) {
    check(!strchr(line, '\n'));
    ++*(int *)user;
}

/* What the host prints, its table of layers, goes nowhere. */
static FILE *nowhere(void) {
    static FILE *file;
    if (!file)
        file = fopen("/dev/null", "w");
    check(file != NULL);
    return file;
}

static void parse_in_host(const gdrq_outline *o, const uint8_t *data, size_t size) {
    char path[64];
    network *net = NULL;
    gdrq_error err = {""};
    int notes = 0;
    const int fd = memfd_create("cfg", MFD_CLOEXEC);
    check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    FILE *out = stdout, *messages = stderr;
    stdout = stderr = nowhere();
    const gdrq_status status = gdrq_network_parse(path, note, &notes, &net, &err);
    stdout = out;
    stderr = messages;
    if (status != GDRQ_OK)
        fprintf(stderr, "%s\n", err.message);
    check(status == GDRQ_OK && notes == o->n_notes);
    gdrq_attach_free(net);
    close(fd);
}

/* The translation is a cfg of the same network; that of a folded one bears marks. */
static void check_translation(const gdrq_outline *o) {
    if (gdrq_outline_is_folded(o))
        return;
    char *text;
    gdrq_outline again;
    gdrq_error err = {""};
    check(gdrq_outline_translate(o, &text, &err) == GDRQ_OK);
    check(gdrq_outline_parse("translated", text, strlen(text), &again, &err) == GDRQ_OK);
    check(again.n == o->n && again.batch == o->batch);
    gdrq_outline_free(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gdrq_outline o;
    gdrq_tensor_classes classes;
    gdrq_error err = {""};
    if (gdrq_outline_parse("cfg", (const char *)data, size, &o, &err) != GDRQ_OK) {
        check(err.message[0] && !strchr(err.message, '\n') && o.layers == NULL);
        return 0;
    }
    check_translation(&o);
    if (gdrq_tensor_classes_build(&o, &classes, &err) == GDRQ_OK) {
        gdrq_tensor_classes_free(&classes);
        if (is_small(&o))
            parse_in_host(&o, data, size);
    }
    gdrq_outline_free(&o);
    return 0;
}

/* Puts n bytes in the place of `length` bytes at `at`, if there is room; returns the new size. */
static size_t splice(uint8_t *data, size_t size, size_t max, size_t at, size_t length,
                     const void *bytes, size_t n) {
    if (size - length + n > max)
        return size;
    memmove(data + at + n, data + at + length, size - at - length);
    memcpy(data + at, bytes, n);
    return size - length + n;
}

/* The line around `at`, with its newline. */
static size_t find_line(const uint8_t *data, size_t size, size_t *at) {
    while (*at > 0 && data[*at - 1] != '\n')
        --*at;
    const uint8_t *end = memchr(data + *at, '\n', size - *at);
    return end ? (size_t)(end - (data + *at)) + 1 : size - *at;
}

static size_t replace_value(uint8_t *data, size_t size, size_t max, size_t at, unsigned choice) {
    static const char *const values[] = {"0",  "-1", "1",   "2",  "3",          "4",     "-2",
                                         "7",  "8",  "16",  "33", "2147483647", "-3",    "1e9",
                                         ".5", "5",  "1,2", "0,", "leaky",      "linear"};
    const char *value = values[choice % (sizeof values / sizeof *values)];
    const size_t length = find_line(data, size, &at);
    const uint8_t *equals = memchr(data + at, '=', length);
    if (!equals)
        return size;
    const size_t from = (size_t)(equals - data) + 1, end = at + length;
    const size_t old = end - from - (data[end - 1] == '\n');
    return splice(data, size, max, from, old, value, strlen(value));
}

static size_t copy_line(uint8_t *data, size_t size, size_t max, size_t from, size_t to) {
    uint8_t line[256];
    const size_t length = find_line(data, size, &from);
    if (length > sizeof line)
        return size;
    memcpy(line, data + from, length);
    find_line(data, size, &to);
    return splice(data, size, max, to, 0, line, length);
}

/* Mostly by lines: random bytes are seldom more than a wrong key. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
    for (int n = rand_r(&seed) % 4; n >= 0 && size > 0; n--) {
        const size_t at = (size_t)rand_r(&seed) % size, other = (size_t)rand_r(&seed) % size;
        size_t line = at;
        switch (rand_r(&seed) % 8) {
        case 0:
            size = LLVMFuzzerMutate(data, size, max);
            break;
        case 1: {
            const size_t length = find_line(data, size, &line);
            size = splice(data, size, max, line, length, "", 0);
            break;
        }
        case 2:
        case 3:
            size = copy_line(data, size, max, at, other);
            break;
        default:
            size = replace_value(data, size, max, at, (unsigned)rand_r(&seed));
        }
    }
    return size;
}
