#include "sensitivity/outputs.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

static bool is_result(const layer *l) {
    return l->type == YOLO || l->type == REGION || l->type == DETECTION || l->type == SOFTMAX ||
           l->type == LOGXENT;
}

/* The last layer but for [cost], whose output is a number for training. */
static int last_layer(const network *net) {
    int i = net->n - 1;
    while (i > 0 && net->layers[i].type == COST)
        i--;
    return i;
}

typedef void visit_output(void *user, const float *values, size_t n);

static void for_each_output(const network *net, visit_output *visit, void *user) {
    bool any = false;
    for (int i = 1; i < net->n; i++) {
        if (!is_result(&net->layers[i]))
            continue;
        visit(user, net->layers[i - 1].output, (size_t)net->layers[i].inputs);
        any = true;
    }
    const layer *last = &net->layers[last_layer(net)];
    if (!any)
        visit(user, last->output, (size_t)last->outputs);
}

static void count(void *user, const float *values, size_t n) {
    (void)values;
    *(size_t *)user += n;
}

gdrq_status outputs_make(outputs *o, const network *net, gdrq_error *err) {
    *o = (outputs){0};
    for_each_output(net, count, &o->n);
    o->values = gdrq_alloc(o->n, sizeof *o->values);
    return o->values ? GDRQ_OK
                     : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu outputs", o->n);
}

typedef struct walk {
    float *next; /* of the kept ones */
    double sum;
} walk;

static void keep(void *user, const float *values, size_t n) {
    walk *w = user;
    for (size_t i = 0; i < n; i++)
        w->sum += (double)values[i] * values[i];
    memcpy(w->next, values, n * sizeof *values);
    w->next += n;
}

double outputs_keep(outputs *o, const network *net) {
    walk w = {.next = o->values};
    for_each_output(net, keep, &w);
    return w.sum;
}

static void compare(void *user, const float *values, size_t n) {
    walk *w = user;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)values[i] - w->next[i];
        w->sum += d * d;
    }
    w->next += n;
}

double outputs_distance(const outputs *o, const network *net) {
    walk w = {.next = o->values};
    for_each_output(net, compare, &w);
    return w.sum;
}

void outputs_free(outputs *o) {
    free(o->values);
    *o = (outputs){0};
}
