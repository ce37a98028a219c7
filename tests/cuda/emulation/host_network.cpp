/* In the place of libdarknet's function that goes over a network's layers, which a GPU build lays
   out otherwise than the one that is here: what it does. */
#include "cuda_runtime.h"

#include "darknet.h"

extern "C" {
void set_batch_network(network *net, int batch) {
    net->batch = batch;
    for (int i = 0; i < net->n; ++i)
        net->layers[i].batch = batch;
}
}
