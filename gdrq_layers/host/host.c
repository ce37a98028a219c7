#include "host/host.h"

#include <dlfcn.h>
#include <pthread.h>

#include "base/status.h"

static gdrq_host functions;
static gdrq_status found;
static gdrq_error reason;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* POSIX lets a void pointer from dlsym stand for a function; ISO C has no cast for it. */
static bool look_up(const char *name, void *pointer_to_function) {
    void *symbol = dlsym(RTLD_NEXT, name);
    *(void **)pointer_to_function = symbol;
    return symbol != NULL;
}

/* Symbols that only a GPU or a cuDNN build exports. Ours is never built for the latter's layout. */
static gdrq_status check_layout(void) {
    const bool host_gpu = dlsym(RTLD_NEXT, "cuda_make_array") != NULL;
    const bool host_cudnn = dlsym(RTLD_NEXT, "cudnn_handle") != NULL;
#ifdef GPU
    const bool our_gpu = true;
#else
    const bool our_gpu = false;
#endif
    if (host_cudnn)
        return gdrq_fail(&reason, GDRQ_ERROR_HOST,
                         "libdarknet was built with CUDNN=1, which libgdrq has no use for: build "
                         "that Darknet with CUDNN=0");
    if (host_gpu == our_gpu)
        return GDRQ_OK;
    return gdrq_fail(&reason, GDRQ_ERROR_HOST,
                     "libdarknet was built with GPU=%d, libgdrq with GPU=%d: build libgdrq with "
                     "`make %sDARKNET=/path/to/that/darknet`",
                     host_gpu, our_gpu, host_gpu ? "GPU=1 " : "");
}

static void find(void) {
    const bool all =
        look_up("parse_network_cfg", &functions.parse_network_cfg) &&
        look_up("free_network", &functions.free_network) &&
        look_up("free_layer", &functions.free_layer) &&
        look_up("make_convolutional_layer", &functions.make_convolutional_layer) &&
        look_up("make_connected_layer", &functions.make_connected_layer) &&
        look_up("make_yolo_layer", &functions.make_yolo_layer) &&
        look_up("make_region_layer", &functions.make_region_layer) &&
        look_up("make_detection_layer", &functions.make_detection_layer) &&
        look_up("network_predict", &functions.network_predict) &&
        look_up("forward_batchnorm_layer", &functions.forward_batchnorm_layer) &&
        look_up("backward_batchnorm_layer", &functions.backward_batchnorm_layer) &&
        look_up("forward_convolutional_layer", &functions.forward_convolutional_layer) &&
        look_up("backward_convolutional_layer", &functions.backward_convolutional_layer) &&
        look_up("forward_connected_layer", &functions.forward_connected_layer) &&
        look_up("backward_connected_layer", &functions.backward_connected_layer) &&
        look_up("update_connected_layer", &functions.update_connected_layer) &&
        look_up("update_convolutional_layer", &functions.update_convolutional_layer) &&
        look_up("activate_array", &functions.activate_array) &&
        look_up("gradient_array", &functions.gradient_array) && look_up("gemm", &functions.gemm) &&
        look_up("gemm_cpu", &functions.gemm_cpu) && look_up("fill_cpu", &functions.fill_cpu) &&
        look_up("copy_cpu", &functions.copy_cpu) && look_up("axpy_cpu", &functions.axpy_cpu) &&
        look_up("scal_cpu", &functions.scal_cpu) && look_up("do_nms_sort", &functions.do_nms_sort);
    if (!all) {
        found = gdrq_fail(&reason, GDRQ_ERROR_HOST,
                          "libdarknet.so is not loaded behind libgdrq.so, or is not pjreddie's "
                          "Darknet: link with -Wl,--no-as-needed -lgdrq -ldarknet");
        return;
    }
    /* Present in builds with OPENCV=1 only. */
    look_up("show_image_cv", &functions.show_image_cv);
    look_up("make_window", &functions.make_window);
    found = check_layout();
}

gdrq_status gdrq_host_find(const gdrq_host **host, gdrq_error *err) {
    pthread_once(&once, find);
    *host = &functions;
    return found == GDRQ_OK ? GDRQ_OK : gdrq_fail(err, found, "%s", reason.message);
}
