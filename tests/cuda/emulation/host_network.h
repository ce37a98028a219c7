/* The host's network_predict() behind our hook, of networks on the GPU. */
#ifndef TESTS_CUDA_EMULATION_HOST_NETWORK_H
#define TESTS_CUDA_EMULATION_HOST_NETWORK_H

#include "darknet.h"

float *stock_network_predict(network *net, float *input);

#endif
