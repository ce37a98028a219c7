#include "train/iteration.h"

#include <math.h>
#include <string.h>

int iteration_images(const network *net) {
    return net->batch * net->subdivisions;
}

/* Codes become code/255. */
void iteration_feed(network *net, const loader_batch *batch, int first) {
    const size_t codes = 3 * (size_t)batch->w * batch->h;
    const unsigned char *from = batch->codes + codes * (size_t)first;
    float value_of[256];
    for (int code = 0; code < 256; code++)
        value_of[code] = (float)code / 255.f;
    for (size_t i = 0; i < codes * (size_t)net->batch; i++)
        net->input[i] = value_of[from[i]];
    memcpy(net->truth, batch->truth + (size_t)net->truths * first,
           (size_t)net->truths * net->batch * sizeof *net->truth);
}

/*
 * One sub-batch, as the host's train_network_datum(), but a cost that is not finite never reaches
 * the backward pass: it would ruin the weights, and the host's maxpool writes out of bounds then.
 */
static double train_part(network *net) {
    *net->seen += (size_t)net->batch;
    net->train = 1;
    forward_network(net);
    const double cost = *net->cost;
    if (!isfinite(cost)) {
        *net->seen -= (size_t)net->batch;
        return cost;
    }
    backward_network(net);
    if (*net->seen / (size_t)net->batch % (size_t)net->subdivisions == 0)
        update_network(net);
    return cost;
}

double iteration_train(network *net, const loader_batch *batch, int first) {
    const int images = iteration_images(net);
    double sum = 0;
    for (int i = 0; i < images && isfinite(sum); i += net->batch) {
        iteration_feed(net, batch, first + i);
        sum += train_part(net);
    }
    return sum / images;
}
