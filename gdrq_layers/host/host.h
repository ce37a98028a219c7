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
    layer (*make_yolo_layer)(int, int, int, int, int, int *, int);
    layer (*make_region_layer)(int, int, int, int, int, int);
    layer (*make_detection_layer)(int, int, int, int, int, int, int);
    int (*show_image_cv)(image, const char *, int);
    void (*make_window)(char *, int, int, int);
} gdrq_host;

/*
 * Looks the functions up once. Fails if libdarknet is not loaded, or was built with other layout
 * flags (GPU, CUDNN) than the darknet.h that this library was compiled against: struct layer is
 * passed by value and would be misread.
 */
gdrq_status gdrq_host_find(const gdrq_host **host, gdrq_error *err);

#endif
