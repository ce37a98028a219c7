/* Functions that libdarknet exports but its header does not declare. */
#ifndef GDRQ_PRIMITIVES_STOCK_H
#define GDRQ_PRIMITIVES_STOCK_H

#include "darknet.h"

layer make_convolutional_layer(int batch, int h, int w, int c, int n, int groups, int size,
                               int stride, int padding, ACTIVATION activation, int batch_normalize,
                               int binary, int xnor, int adam);
void forward_convolutional_layer(layer l, network net);
void backward_convolutional_layer(layer l, network net);
void update_convolutional_layer(layer l, update_args a);

void forward_crnn_layer(layer l, network net);

layer make_maxpool_layer(int batch, int h, int w, int c, int size, int stride, int padding);
void forward_maxpool_layer(layer l, network net);
void backward_maxpool_layer(layer l, network net);

layer make_yolo_layer(int batch, int w, int h, int n, int total, int *mask, int classes);
void forward_yolo_layer(layer l, network net);
void backward_yolo_layer(layer l, network net);

layer make_region_layer(int batch, int w, int h, int n, int classes, int coords);
void forward_region_layer(layer l, network net);
void backward_region_layer(layer l, network net);

/* x[i] = a(x[i]), and delta[i] *= a' taken from the activated x[i]. */
void activate_array(float *x, const int n, const ACTIVATION a);
void gradient_array(const float *x, const int n, const ACTIVATION a, float *delta);

/* C = ALPHA * op(A) * op(B) + BETA * C, all row-major; TA and TB say which is transposed. */
void gemm(int TA, int TB, int M, int N, int K, float ALPHA, float *A, int lda, float *B, int ldb,
          float BETA, float *C, int ldc);

#endif
