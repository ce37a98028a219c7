#include "primitives/predict.h"

void gdrq_set_network_cost(const network *net) {
    float sum = 0;
    int count = 0;
    for (int i = 0; i < net->n; i++) {
        if (!net->layers[i].cost)
            continue;
        sum += net->layers[i].cost[0];
        count++;
    }
    *net->cost = sum / (float)count;
}

/* Runs layers first.. on `input`. */
static float *predict_from(const network *net, int first, float *input, gdrq_after_layer *after,
                           void *user) {
    network state = *net;
    state.input = input;
    state.truth = NULL;
    state.delta = NULL;
    state.train = 0;
    for (int i = first; i < net->n; i++) {
        const layer *l = &net->layers[i];
        state.index = i;
        l->forward(*l, state);
        if (after)
            after(user, i);
        state.input = l->output;
        if (l->truth)
            state.truth = l->output;
    }
    gdrq_set_network_cost(net);
    return net->output;
}

float *gdrq_network_predict(const network *net, float *input) {
    return gdrq_network_predict_watched(net, input, NULL, NULL);
}

float *gdrq_network_predict_watched(const network *net, float *input, gdrq_after_layer *after,
                                    void *user) {
    return predict_from(net, 0, input, after, user);
}

float *gdrq_network_predict_from(const network *net, int first) {
    return predict_from(net, first, first > 0 ? net->layers[first - 1].output : net->input, NULL,
                        NULL);
}
