/*
 * The exported hooks, and nothing else: functions of libdarknet that programs (and libdarknet's own
 * files among each other) call, replaced by being found first. Their signatures are the host's and
 * can't carry errors: those end in one line on stderr and exit status 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"
#include "base/status.h"
#include "darknet.h"
#include "host/attach.h"
#include "host/equalise.h"
#include "host/folded_layer.h"
#include "host/free_layer.h"
#include "host/host.h"
#include "host/image_hooks.h"
#include "host/network_state.h"
#include "host/outline.h"
#include "host/resize.h"
#include "host/statistics.h"
#include "host/weights.h"
#include "primitives/activation.h"
#include "primitives/batchnorm_layer.h"
#include "primitives/blas.h"
#include "primitives/connected_layer.h"
#include "primitives/convolutional_layer.h"
#include "primitives/gemm.h"
#include "primitives/predict.h"
#include "primitives/replacements.h"
#include "primitives/suppression.h"
#include "primitives/update.h"
#ifdef GPU
#include "host/cuda/folded_gpu_layers.h"
#endif

/* The host's prototypes that darknet.h leaves out. */
GDRQ_API void file_error(char *name);
GDRQ_API void gemm(int ta, int tb, int m, int n, int k, float alpha, float *a, int lda, float *b,
                   int ldb, float beta, float *c, int ldc);
GDRQ_API void gemm_cpu(int ta, int tb, int m, int n, int k, float alpha, float *a, int lda,
                       float *b, int ldb, float beta, float *c, int ldc);
GDRQ_API void activate_array(float *x, const int n, const ACTIVATION a);
GDRQ_API void gradient_array(const float *x, const int n, const ACTIVATION a, float *delta);
GDRQ_API void forward_batchnorm_layer(layer l, network net);
GDRQ_API void backward_batchnorm_layer(layer l, network net);
GDRQ_API void forward_convolutional_layer(layer l, network net);
GDRQ_API void backward_convolutional_layer(layer l, network net);
GDRQ_API void forward_connected_layer(layer l, network net);
GDRQ_API void backward_connected_layer(layer l, network net);
GDRQ_API void update_connected_layer(layer l, update_args a);
GDRQ_API void update_convolutional_layer(layer l, update_args a);
GDRQ_API image load_image_cv(char *filename, int channels);
GDRQ_API int show_image_cv(image im, const char *name, int ms);
GDRQ_API layer make_convolutional_layer(int batch, int h, int w, int c, int n, int groups, int size,
                                        int stride, int padding, ACTIVATION activation,
                                        int batch_normalize, int binary, int xnor, int adam);
GDRQ_API layer make_connected_layer(int batch, int inputs, int outputs, ACTIVATION activation,
                                    int batch_normalize, int adam);
GDRQ_API layer make_yolo_layer(int batch, int w, int h, int n, int total, int *mask, int classes);
GDRQ_API layer make_region_layer(int batch, int w, int h, int n, int classes, int coords);
GDRQ_API layer make_detection_layer(int batch, int inputs, int n, int side, int classes, int coords,
                                    int rescore);

static const gdrq_host *host(void) {
    const gdrq_host *functions;
    gdrq_error err;
    gdrq_must(gdrq_host_find(&functions, &err), &err);
    return functions;
}

GDRQ_API network *parse_network_cfg(char *filename) {
    network *net;
    gdrq_error err;
    gdrq_must(gdrq_attach_parse(filename, NULL, NULL, &net, &err), &err);
    return net;
}

/* As the host's, and with clear the reshape stage begins anew, too. */
GDRQ_API network *load_network(char *cfg, char *weights, int clear) {
    network *net = parse_network_cfg(cfg);
    if (weights && weights[0])
        load_weights(net, weights);
    if (clear) {
        *net->seen = 0;
        gdrq_network_restart(net);
    }
    return net;
}

GDRQ_API void free_network(network *net) {
    gdrq_attach_free(net);
}

GDRQ_API void free_layer(layer l) {
    gdrq_free_layer(&l, host()->free_layer);
}

GDRQ_API int resize_network(network *net, int w, int h) {
    gdrq_error err;
    gdrq_must(gdrq_resize(net, w, h, &err), &err);
    return 0;
}

/* A backbone is what training starts from; whoever only detects should know that it is one. */
GDRQ_API void load_weights_upto(network *net, char *filename, int start, int cutoff) {
    gdrq_load_report report;
    gdrq_error err;
    gdrq_must(gdrq_weights_load(net, filename, start, cutoff, true, &report, &err), &err);
    if (!report.complete)
        fprintf(stderr, "gdrq: %s is a backbone: layers %d to %d of %d loaded\n", filename, start,
                report.layers - 1, net->n);
}

GDRQ_API void load_weights(network *net, char *filename) {
    load_weights_upto(net, filename, 0, net->n);
}

GDRQ_API void save_weights_upto(network *net, char *filename, int cutoff) {
    gdrq_error err;
    gdrq_must(gdrq_weights_save(net, filename, cutoff, &err), &err);
}

GDRQ_API void save_weights(network *net, char *filename) {
    save_weights_upto(net, filename, net->n);
}

/* The host exits with status 0, as if all were well. */
GDRQ_API void file_error(char *name) {
    gdrq_error err;
    gdrq_fail_errno(&err, GDRQ_ERROR_IO, "%s: can't open", name);
    gdrq_fatal(&err);
}

/*
 * Constructors print the host's table of layers; so must ours, in its place and manner. The host's
 * would allocate float weights, and draw a random number for each.
 */
GDRQ_API layer make_convolutional_layer(int batch, int h, int w, int c, int n, int groups, int size,
                                        int stride, int padding, ACTIVATION activation,
                                        int batch_normalize, int binary, int xnor, int adam) {
    if (binary != GDRQ_FOLDED_MARK)
        return host()->make_convolutional_layer(batch, h, w, c, n, groups, size, stride, padding,
                                                activation, batch_normalize, binary, xnor, adam);
    const layer l = gdrq_make_folded_convolutional_layer(batch, h, w, c, n, groups, size, stride,
                                                         padding, activation);
    fprintf(stderr, "folded %4d %2d x%2d /%2d  %4d x%4d x%4d   ->  %4d x%4d x%4d  %5.3f BFLOPs\n",
            n, size, size, stride, w, h, c, l.out_w, l.out_h, l.out_c,
            2.0 * l.nweights * l.out_h * l.out_w / 1e9);
    return l;
}

GDRQ_API layer make_connected_layer(int batch, int inputs, int outputs, ACTIVATION activation,
                                    int batch_normalize, int adam) {
    if (batch_normalize != GDRQ_FOLDED_MARK)
        return host()->make_connected_layer(batch, inputs, outputs, activation, batch_normalize,
                                            adam);
    fprintf(stderr, "folded                               %4d  ->  %4d\n", inputs, outputs);
    return gdrq_make_folded_connected_layer(batch, inputs, outputs, activation);
}

/*
 * The host's constructors of these three call srand(0), which makes every training run draw the
 * same images. They get a random state of their own; the caller's is put back behind them.
 */
enum { RANDOM_STATE = 128 };

GDRQ_API layer make_yolo_layer(int batch, int w, int h, int n, int total, int *mask, int classes) {
    char own[RANDOM_STATE];
    char *callers = initstate(0, own, sizeof own);
    const layer l = host()->make_yolo_layer(batch, w, h, n, total, mask, classes);
    setstate(callers);
    return l;
}

GDRQ_API layer make_region_layer(int batch, int w, int h, int n, int classes, int coords) {
    char own[RANDOM_STATE];
    char *callers = initstate(0, own, sizeof own);
    const layer l = host()->make_region_layer(batch, w, h, n, classes, coords);
    setstate(callers);
    return l;
}

GDRQ_API layer make_detection_layer(int batch, int inputs, int n, int side, int classes, int coords,
                                    int rescore) {
    char own[RANDOM_STATE];
    char *callers = initstate(0, own, sizeof own);
    const layer l = host()->make_detection_layer(batch, inputs, n, side, classes, coords, rescore);
    setstate(callers);
    return l;
}

GDRQ_API void gemm(int ta, int tb, int m, int n, int k, float alpha, float *a, int lda, float *b,
                   int ldb, float beta, float *c, int ldc) {
    if (gdrq_replaces(GDRQ_REPLACES_GEMM))
        gdrq_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    else
        host()->gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

/* What deconvolutional layers call. */
GDRQ_API void gemm_cpu(int ta, int tb, int m, int n, int k, float alpha, float *a, int lda,
                       float *b, int ldb, float beta, float *c, int ldc) {
    if (gdrq_replaces(GDRQ_REPLACES_GEMM))
        gdrq_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    else
        host()->gemm_cpu(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

GDRQ_API void fill_cpu(int n, float alpha, float *x, int incx) {
    if (gdrq_replaces(GDRQ_REPLACES_BLAS))
        gdrq_fill_cpu(n, alpha, x, incx);
    else
        host()->fill_cpu(n, alpha, x, incx);
}

GDRQ_API void copy_cpu(int n, float *x, int incx, float *y, int incy) {
    if (gdrq_replaces(GDRQ_REPLACES_BLAS))
        gdrq_copy_cpu(n, x, incx, y, incy);
    else
        host()->copy_cpu(n, x, incx, y, incy);
}

GDRQ_API void axpy_cpu(int n, float alpha, float *x, int incx, float *y, int incy) {
    if (gdrq_replaces(GDRQ_REPLACES_BLAS))
        gdrq_axpy_cpu(n, alpha, x, incx, y, incy);
    else
        host()->axpy_cpu(n, alpha, x, incx, y, incy);
}

GDRQ_API void scal_cpu(int n, float alpha, float *x, int incx) {
    if (gdrq_replaces(GDRQ_REPLACES_BLAS))
        gdrq_scal_cpu(n, alpha, x, incx);
    else
        host()->scal_cpu(n, alpha, x, incx);
}

GDRQ_API void activate_array(float *x, const int n, const ACTIVATION a) {
    if (gdrq_replaces(GDRQ_REPLACES_ACTIVATION))
        gdrq_activate(x, n > 0 ? (size_t)n : 0, a);
    else
        host()->activate_array(x, n, a);
}

GDRQ_API void gradient_array(const float *x, const int n, const ACTIVATION a, float *delta) {
    if (gdrq_replaces(GDRQ_REPLACES_ACTIVATION))
        gdrq_activation_gradient(x, n > 0 ? (size_t)n : 0, a, delta);
    else
        host()->gradient_array(x, n, a, delta);
}

/*
 * What deconvolutional layers, binary convolutions and all layers that GDRQ_STOCK leaves to the
 * host call for their batch norm. Here and below host() comes first: only of the layout that it
 * checks is the layer what it seems.
 */
GDRQ_API void forward_batchnorm_layer(layer l, network net) {
    const gdrq_host *stock = host();
    if (gdrq_replaces(GDRQ_REPLACES_BATCHNORM))
        gdrq_forward_batchnorm_layer(l, net);
    else
        stock->forward_batchnorm_layer(l, net);
}

GDRQ_API void backward_batchnorm_layer(layer l, network net) {
    const gdrq_host *stock = host();
    if (gdrq_replaces(GDRQ_REPLACES_BATCHNORM))
        gdrq_backward_batchnorm_layer(l, net);
    else
        stock->backward_batchnorm_layer(l, net);
}

/* Recurrent layers call these for the layers inside of them. */
GDRQ_API void forward_convolutional_layer(layer l, network net) {
    const gdrq_host *stock = host();
    if (gdrq_replaces(GDRQ_REPLACES_CONVOLUTIONAL) && !gdrq_is_binary_convolution(&l))
        gdrq_forward_convolutional_layer(l, net);
    else
        stock->forward_convolutional_layer(l, net);
}

GDRQ_API void backward_convolutional_layer(layer l, network net) {
    const gdrq_host *stock = host();
    if (gdrq_replaces(GDRQ_REPLACES_CONVOLUTIONAL))
        gdrq_backward_unrolled_convolutional_layer(l, net);
    else
        stock->backward_convolutional_layer(l, net);
}

GDRQ_API void forward_connected_layer(layer l, network net) {
    if (gdrq_replaces(GDRQ_REPLACES_CONNECTED))
        gdrq_forward_connected_layer(l, net);
    else
        host()->forward_connected_layer(l, net);
}

GDRQ_API void backward_connected_layer(layer l, network net) {
    if (gdrq_replaces(GDRQ_REPLACES_CONNECTED))
        gdrq_backward_connected_layer(l, net);
    else
        host()->backward_connected_layer(l, net);
}

GDRQ_API void update_connected_layer(layer l, update_args a) {
    if (gdrq_replaces(GDRQ_REPLACES_UPDATE))
        gdrq_update_connected_layer(l, a);
    else
        host()->update_connected_layer(l, a);
}

GDRQ_API void update_convolutional_layer(layer l, update_args a) {
    if (gdrq_replaces(GDRQ_REPLACES_UPDATE))
        gdrq_update_convolutional_layer(l, a);
    else
        host()->update_convolutional_layer(l, a);
}

GDRQ_API float *network_predict(network *net, float *input) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    if (state && state->statistics)
        return gdrq_statistics_predict(state->statistics, input);
#ifdef GPU
    if (net->gpu_index >= 0)
        return state && state->folded ? gdrq_gpu_predict(net, state->folded, input, NULL, NULL)
                                      : host()->network_predict(net, input);
#endif
    if (state && state->equaliser)
        return gdrq_equaliser_predict(state->equaliser, input);
    if (gdrq_replaces(GDRQ_REPLACES_PREDICT))
        return gdrq_network_predict(net, input);
    return host()->network_predict(net, input);
}

/* Boxes stay where they are: the host's leaves them in the order of the last class's scores. */
GDRQ_API void do_nms_sort(detection *dets, int total, int classes, float thresh) {
    gdrq_error err;
    if (gdrq_replaces(GDRQ_REPLACES_NMS))
        gdrq_must(gdrq_suppress(dets, total, classes, thresh, &err), &err);
    else
        host()->do_nms_sort(dets, total, classes, thresh);
}

GDRQ_API image load_image_cv(char *filename, int channels) {
    image im;
    gdrq_error err;
    gdrq_must(gdrq_load_image(filename, channels, &im, &err), &err);
    return im;
}

/* Without a display, the host's window functions end the program inside Qt. */
GDRQ_API int show_image_cv(image im, const char *name, int ms) {
    return gdrq_have_display() ? host()->show_image_cv(im, name, ms) : -1;
}

GDRQ_API void make_window(char *name, int w, int h, int fullscreen) {
    if (gdrq_have_display())
        host()->make_window(name, w, h, fullscreen);
}
