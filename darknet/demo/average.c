#include "demo/average.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

static bool is_head(const layer *l) {
    return l->type == YOLO || l->type == REGION || l->type == DETECTION;
}

/* Calls visit for each output that is averaged: of one image, whatever the network's batch. */
typedef void visit_output(float *output, size_t n, void *user);
static void each_output(network *net, visit_output *visit, void *user) {
    bool has_heads = false;
    for (int i = 0; i < net->n; i++)
        if (is_head(&net->layers[i])) {
            has_heads = true;
            visit(net->layers[i].output, (size_t)net->layers[i].outputs, user);
        }
    if (!has_heads)
        visit(net->output, (size_t)net->outputs, user);
}

static void count(float *output, size_t n, void *user) {
    (void)output;
    *(size_t *)user += n;
}

gdrq_status average_open(average *a, network *net, int frames, gdrq_error *err) {
    *a = (average){.net = net, .frames = frames};
    if (frames <= 1)
        return GDRQ_OK;
    each_output(net, count, &a->floats);
    a->kept = gdrq_alloc((size_t)frames * a->floats, sizeof *a->kept);
    return a->kept ? GDRQ_OK
                   : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the outputs of %d frames",
                               frames);
}

typedef struct place {
    const average *average;
    size_t at; /* in a frame's floats */
} place;

static void keep(float *output, size_t n, void *user) {
    place *p = user;
    const average *a = p->average;
    memcpy(a->kept + (size_t)a->next * a->floats + p->at, output, n * sizeof *output);
    p->at += n;
}

static void take_mean(float *output, size_t n, void *user) {
    place *p = user;
    const average *a = p->average;
    memset(output, 0, n * sizeof *output);
    for (int frame = 0; frame < a->n; frame++) {
        const float *kept = a->kept + (size_t)frame * a->floats + p->at;
        for (size_t i = 0; i < n; i++)
            output[i] += kept[i];
    }
    for (size_t i = 0; i < n; i++)
        output[i] /= (float)a->n;
    p->at += n;
}

void average_apply(average *a) {
    if (!a->kept)
        return;
    place p = {.average = a};
    each_output(a->net, keep, &p);
    a->next = (a->next + 1) % a->frames;
    a->n += a->n < a->frames;
    p.at = 0;
    each_output(a->net, take_mean, &p);
}

void average_forget(average *a) {
    a->n = a->next = 0;
}

void average_free(average *a) {
    free(a->kept);
    *a = (average){0};
}
