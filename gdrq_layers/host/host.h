/*
 * The host's own functions behind our hooks, and whether the host is the one that this library was
 * compiled for.
 */
#ifndef GDRQ_HOST_HOST_H
#define GDRQ_HOST_HOST_H

#include "darknet.h"
#include "gdrq.h"

typedef struct gdrq_host {
    network *(*parse_network_cfg)(char *);
    void (*free_network)(network *);
    void (*free_layer)(layer);
    layer (*make_convolutional_layer)(int, int, int, int, int, int, int, int, int, ACTIVATION, int,
                                      int, int, int);
    layer (*make_connected_layer)(int, int, int, ACTIVATION, int, int);
    layer (*make_yolo_layer)(int, int, int, int, int, int *, int);
    layer (*make_region_layer)(int, int, int, int, int, int);
    layer (*make_detection_layer)(int, int, int, int, int, int, int);
    int (*show_image_cv)(image, const char *, int);
    void (*make_window)(char *, int, int, int);
    float *(*network_predict)(network *, float *);
    void (*forward_batchnorm_layer)(layer, network);
    void (*backward_batchnorm_layer)(layer, network);
    void (*forward_convolutional_layer)(layer, network);
    void (*backward_convolutional_layer)(layer, network);
    void (*forward_connected_layer)(layer, network);
    void (*backward_connected_layer)(layer, network);
    void (*update_connected_layer)(layer, update_args);
    void (*update_convolutional_layer)(layer, update_args);
    void (*activate_array)(float *, const int, const ACTIVATION);
    void (*gradient_array)(const float *, const int, const ACTIVATION, float *);
    void (*gemm)(int, int, int, int, int, float, float *, int, float *, int, float, float *, int);
    void (*gemm_cpu)(int, int, int, int, int, float, float *, int, float *, int, float, float *,
                     int);
    void (*fill_cpu)(int, float, float *, int);
    void (*copy_cpu)(int, float *, int, float *, int);
    void (*axpy_cpu)(int, float, float *, int, float *, int);
    void (*scal_cpu)(int, float, float *, int);
    void (*do_nms_sort)(detection *, int, int, float);
} gdrq_host;

/*
 * Looks the functions up once. Fails if libdarknet is not loaded, or was built with other layout
 * flags (GPU, CUDNN) than the darknet.h that this library was compiled against: struct layer is
 * passed by value and would be misread.
 */
gdrq_status gdrq_host_find(const gdrq_host **host, gdrq_error *err);

#endif
