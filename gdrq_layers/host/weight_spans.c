#include "host/weight_spans.h"

#include "host/folded_layer.h"

/* A walk in progress: `ok` turns false when a visitor wants no more. */
typedef struct walk {
    gdrq_direction direction;
    gdrq_visit_span *visit;
    void *user;
    bool ok;
} walk;

static void visit_span(walk *w, gdrq_weight_span span) {
    if (w->ok && span.count > 0)
        w->ok = w->visit(w->user, &span);
}

static void visit_array(walk *w, const layer *l, float *data, size_t count) {
    visit_span(w, (gdrq_weight_span){.owner = l, .data = data, .count = count});
}

static void visit_batchnorm(walk *w, const layer *l, size_t channels) {
    if (!l->batch_normalize || (w->direction == GDRQ_LOADING && l->dontloadscales))
        return;
    visit_array(w, l, l->scales, channels);
    visit_array(w, l, l->rolling_mean, channels);
    visit_array(w, l, l->rolling_variance, channels);
}

static void visit_convolutional(walk *w, const layer *l) {
    /* Deconvolutional layers leave groups at 0 in the host, which then divides by it. */
    const size_t groups = l->groups > 0 ? (size_t)l->groups : 1;
    const bool some = w->direction == GDRQ_LOADING && l->numload > 0;
    const size_t filters = (size_t)(some ? l->numload : l->n);
    const size_t per_filter = (size_t)l->c / groups * (size_t)l->size * (size_t)l->size;
    visit_array(w, l, l->biases, filters);
    visit_batchnorm(w, l, filters);
    gdrq_weight_span weights = {.owner = l, .data = l->weights, .count = filters * per_filter};
    if (w->direction == GDRQ_LOADING && l->flipped) {
        weights.rows = l->c * l->size * l->size;
        weights.cols = (int)filters;
        weights.flipped = true;
    }
    visit_span(w, weights);
}

static void visit_connected(walk *w, const layer *l) {
    visit_array(w, l, l->biases, (size_t)l->outputs);
    visit_span(w, (gdrq_weight_span){.owner = l,
                                     .data = l->weights,
                                     .count = (size_t)l->outputs * (size_t)l->inputs,
                                     .rows = l->inputs,
                                     .cols = l->outputs});
    visit_batchnorm(w, l, (size_t)l->outputs);
}

static void visit_local(walk *w, const layer *l) {
    const size_t locations = (size_t)l->out_w * (size_t)l->out_h;
    visit_array(w, l, l->biases, (size_t)l->outputs);
    visit_array(w, l, l->weights,
                (size_t)l->size * (size_t)l->size * (size_t)l->c * (size_t)l->n * locations);
}

static void visit_connected_parts(walk *w, layer *const *parts, size_t n) {
    for (size_t i = 0; i < n; ++i)
        visit_connected(w, parts[i]);
}

static void visit_recurrent(walk *w, const layer *l) {
    if (l->type == RNN)
        visit_connected_parts(w, (layer *[]){l->input_layer, l->self_layer, l->output_layer}, 3);
    if (l->type == GRU)
        visit_connected_parts(w, (layer *[]){l->wz, l->wr, l->wh, l->uz, l->ur, l->uh}, 6);
    if (l->type == LSTM)
        visit_connected_parts(
            w, (layer *[]){l->wi, l->wf, l->wo, l->wg, l->ui, l->uf, l->uo, l->ug}, 8);
    if (l->type == CRNN) {
        visit_convolutional(w, l->input_layer);
        visit_convolutional(w, l->self_layer);
        visit_convolutional(w, l->output_layer);
    }
}

static void visit_layer(walk *w, const layer *l) {
    switch (l->type) {
    case CONVOLUTIONAL:
    case DECONVOLUTIONAL:
        visit_convolutional(w, l);
        break;
    case CONNECTED:
        visit_connected(w, l);
        break;
    case BATCHNORM:
        visit_array(w, l, l->scales, (size_t)l->c);
        visit_array(w, l, l->rolling_mean, (size_t)l->c);
        visit_array(w, l, l->rolling_variance, (size_t)l->c);
        break;
    case LOCAL:
        visit_local(w, l);
        break;
    default:
        visit_recurrent(w, l);
    }
}

bool gdrq_visit_weight_spans(const layer *l, gdrq_direction direction, gdrq_visit_span *visit,
                             void *user) {
    /* A folded layer has no floats. */
    if (gdrq_is_folded_layer(l))
        return true;
    if ((direction == GDRQ_LOADING && l->dontload) || (direction == GDRQ_SAVING && l->dontsave))
        return true;
    walk w = {.direction = direction, .visit = visit, .user = user, .ok = true};
    visit_layer(&w, l);
    return w.ok;
}

static bool add_count(void *user, const gdrq_weight_span *span) {
    *(size_t *)user += span->count;
    return true;
}

size_t gdrq_count_weights(const layer *l, gdrq_direction direction) {
    size_t count = 0;
    gdrq_visit_weight_spans(l, direction, add_count, &count);
    return count;
}
