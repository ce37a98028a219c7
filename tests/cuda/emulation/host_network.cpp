/* In the place of libdarknet's functions that go over a network's layers, which a GPU build lays
   out otherwise than the one that is here: what they do. */
#include "cuda_runtime.h"

#include "host_network.h"

extern "C" {
void set_batch_network(network *net, int batch) {
    net->batch = batch;
    for (int i = 0; i < net->n; ++i)
        net->layers[i].batch = batch;
}
}

float *stock_network_predict(network *own, float *input) {
    network net = *own;
    net.truth = net.delta = nullptr;
    net.train = 0;
    cudaMemcpy(net.input_gpu, input, sizeof(float) * net.inputs * net.batch,
               cudaMemcpyHostToDevice);
    for (int i = 0; i < net.n; ++i) {
        const layer &l = net.layers[i];
        net.index = i;
        if (l.delta_gpu)
            cudaMemsetAsync(l.delta_gpu, 0, sizeof(float) * l.outputs * l.batch);
        l.forward_gpu(l, net);
        net.input_gpu = l.output_gpu;
        net.input = l.output;
    }
    const layer out = get_network_output_layer(&net);
    cudaMemcpy(out.output, out.output_gpu, sizeof(float) * out.outputs * out.batch,
               cudaMemcpyDeviceToHost);
    return own->output;
}
