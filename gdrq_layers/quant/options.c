#include "quant/options.h"

float gdrq_default_k_weights(int bits) {
    return bits <= 4 ? 2.f : 2.f * (float)(bits - 3);
}

float gdrq_default_k_activations(int bits) {
    return bits <= 3 ? 10.f : 14.f;
}
