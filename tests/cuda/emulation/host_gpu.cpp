/* In the place of cuBLAS and of the GPU functions of libdarknet that our layers call: what those
   compute, in plain loops. */
#include "cuda_runtime.h"

#include <vector>

extern "C" {
#include "primitives/cuda/stock_gpu.h"
void gdrq_activate(float *x, size_t n, ACTIVATION a);
void gdrq_activation_gradient(const float *x, size_t n, ACTIVATION a, float *delta);
}

static cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;

/* Factors in the GPU's memory are told from the host's by who allocated them. */
static bool is_where_it_should_be(const float *factor) {
    return emulation::is_device_memory(factor) == (pointer_mode == CUBLAS_POINTER_MODE_DEVICE);
}

cublasStatus_t cublasSetPointerMode(cublasHandle_t, cublasPointerMode_t mode) {
    pointer_mode = mode;
    return CUBLAS_STATUS_SUCCESS;
}

/* Column-major. Without a gap between the factors of the products that need none. */
cublasStatus_t cublasSgemm(cublasHandle_t, cublasOperation_t transpose_a,
                           cublasOperation_t transpose_b, int m, int n, int k, const float *alpha,
                           const float *a, int lda, const float *b, int ldb, const float *beta,
                           float *c, int ldc) {
    if (!is_where_it_should_be(alpha) || !is_where_it_should_be(beta) || ldc < m ||
        lda < (transpose_a ? k : m) || ldb < (transpose_b ? n : k))
        return CUBLAS_STATUS_INVALID_VALUE;
    for (int column = 0; column < n; ++column)
        for (int row = 0; row < m; ++row) {
            double sum = 0;
            for (int i = 0; i < k; ++i)
                sum += (double)(transpose_a ? a[i + row * lda] : a[row + i * lda]) *
                       (transpose_b ? b[column + i * ldb] : b[i + column * ldb]);
            float *to = &c[row + column * ldc];
            *to = (float)(*alpha * sum + (*beta == 0 ? 0 : (double)*beta * *to));
        }
    return CUBLAS_STATUS_SUCCESS;
}

extern "C" {

/* libdarknet's own takes the network as a CPU build lays it out. */
layer get_network_output_layer(network *net) {
    int i = net->n - 1;
    while (i > 0 && net->layers[i].type == COST)
        --i;
    return net->layers[i];
}

void axpy_gpu(int n, float alpha, float *x, int x_stride, float *y, int y_stride) {
    for (int i = 0; i < n; ++i)
        y[i * y_stride] += alpha * x[i * x_stride];
}

cublasHandle_t blas_handle() {
    return nullptr;
}

void activate_array_gpu(float *x, int n, ACTIVATION a) {
    gdrq_activate(x, (size_t)n, a);
}

void gradient_array_gpu(float *x, int n, ACTIVATION a, float *delta) {
    gdrq_activation_gradient(x, (size_t)n, a, delta);
}

void backward_bias_gpu(float *updates, float *delta, int batch, int n, int size) {
    for (int i = 0; i < batch * n * size; ++i)
        updates[i / size % n] += delta[i];
}

void add_bias_gpu(float *output, float *biases, int batch, int n, int size) {
    for (int i = 0; i < batch * n * size; ++i)
        output[i] += biases[i / size % n];
}

void col2im_gpu(float *columns, int channels, int height, int width, int size, int stride, int pad,
                float *image) {
    const int out_h = (height + 2 * pad - size) / stride + 1,
              out_w = (width + 2 * pad - size) / stride + 1;
    for (int i = 0; i < channels * size * size * out_h * out_w; ++i) {
        const int tap = i / out_w / out_h, channel = tap / size / size;
        const int x = i % out_w * stride + tap % size - pad,
                  y = i / out_w % out_h * stride + tap / size % size - pad;
        if (x >= 0 && y >= 0 && x < width && y < height)
            image[(channel * height + y) * width + x] += columns[i];
    }
}

/* The host's formulas, in doubles, here and below. */
void forward_batchnorm_layer_gpu(layer l, network) {
    const int size = l.out_w * l.out_h, count = l.batch * size;
    for (int f = 0; f < l.out_c; ++f) {
        double sums[2] = {0, 0};
        for (int pass = 0; pass < 2; ++pass)
            for (int i = 0; i < l.batch * l.outputs; ++i)
                if (i / size % l.out_c == f)
                    sums[pass] +=
                        pass ? pow(l.output_gpu[i] - sums[0] / count, 2) : (double)l.output_gpu[i];
        l.mean_gpu[f] = (float)(sums[0] / count);
        l.variance_gpu[f] = (float)(sums[1] / (count - 1));
        for (int i = 0; i < l.batch * l.outputs; ++i)
            if (i / size % l.out_c == f) {
                l.x_gpu[i] = l.output_gpu[i];
                l.x_norm_gpu[i] = (l.x_gpu[i] - l.mean_gpu[f]) / sqrtf(l.variance_gpu[f] + .00001f);
                l.output_gpu[i] = l.scales_gpu[f] * l.x_norm_gpu[i] + l.biases_gpu[f];
            }
    }
}

void backward_batchnorm_layer_gpu(layer l, network) {
    const int size = l.out_w * l.out_h, count = l.batch * size;
    for (int f = 0; f < l.out_c; ++f) {
        const double mean = l.mean_gpu[f], variance = l.variance_gpu[f] + .00001;
        double of_bias = 0, of_scale = 0, of_mean = 0, of_variance = 0;
        std::vector<int> at;
        for (int b = 0; b < l.batch; ++b)
            for (int i = 0; i < size; ++i)
                at.push_back((b * l.out_c + f) * size + i);
        for (int i : at) {
            of_bias += l.delta_gpu[i];
            of_scale += (double)l.delta_gpu[i] * l.x_norm_gpu[i];
            const double d = (double)l.delta_gpu[i] * l.scales_gpu[f];
            of_mean -= d / sqrt(variance);
            of_variance -= .5 * d * (l.x_gpu[i] - mean) * pow(variance, -1.5);
        }
        l.bias_updates_gpu[f] += (float)of_bias;
        l.scale_updates_gpu[f] += (float)of_scale;
        for (int i : at)
            l.delta_gpu[i] =
                (float)((double)l.delta_gpu[i] * l.scales_gpu[f] / sqrt(variance) +
                        of_variance * 2 * (l.x_gpu[i] - mean) / count + of_mean / count);
    }
}

static void update(float *values, float *updates, int n, const update_args &a, float rate,
                   float decay) {
    for (int i = 0; values && i < n; ++i) {
        const float u = updates[i] - decay * a.batch * values[i];
        values[i] += rate / a.batch * u;
        updates[i] = a.momentum * u;
    }
}

void update_convolutional_layer_gpu(layer l, update_args a) {
    const float rate = a.learning_rate * l.learning_rate_scale;
    update(l.weights_gpu, l.weight_updates_gpu, l.nweights, a, rate, a.decay);
    update(l.biases_gpu, l.bias_updates_gpu, l.n, a, rate, 0);
    update(l.scales_gpu, l.scale_updates_gpu, l.n, a, rate, 0);
}

void update_connected_layer_gpu(layer l, update_args a) {
    const float rate = a.learning_rate * l.learning_rate_scale;
    update(l.weights_gpu, l.weight_updates_gpu, l.inputs * l.outputs, a, rate, a.decay);
    update(l.biases_gpu, l.bias_updates_gpu, l.outputs, a, rate, 0);
    update(l.scales_gpu, l.scale_updates_gpu, l.outputs, a, rate, 0);
}
}
