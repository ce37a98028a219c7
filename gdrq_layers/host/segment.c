/* From pixels to the class of each (gdrq_network_segment()). */
#include "gdrq.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/network_state.h"
#include "infer/argmax.h"
#include "primitives/segmentation_layer.h"
#ifdef GPU
#include "base/cuda/device.h"
#include "host/scratch_buffer.h"
#endif

int gdrq_network_pixel_classes(const struct network *net) {
    const layer *last = &net->layers[net->n - 1];
    return gdrq_is_segmentation_layer(last) ? last->classes : 0;
}

static gdrq_status check(const network *net, gdrq_error *err) {
    if (gdrq_network_pixel_classes(net) && gdrq_network_state_find(net))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                     "the network's last section is not [segmentation]: it gives pixels no class");
}

/* What `old` holds is not kept; NULL: out of memory, and it is as it was. */
static void *grown(void *old, size_t *room, size_t n, size_t size, gdrq_error *err) {
    if (n <= *room)
        return old;
    void *larger = gdrq_alloc(n, size);
    if (!larger) {
        gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the classes of %zu pixels", n);
        return NULL;
    }
    free(old);
    *room = n;
    return larger;
}

static gdrq_status make_room(gdrq_frame *frame, size_t pixels, size_t columns, gdrq_error *err) {
    uint8_t *classes = grown(frame->classes, &frame->class_room, pixels, sizeof *classes, err);
    if (!classes)
        return GDRQ_ERROR_MEMORY;
    frame->classes = classes;
    int *cells = grown(frame->cells, &frame->cell_room, columns, sizeof *cells, err);
    if (!cells)
        return GDRQ_ERROR_MEMORY;
    frame->cells = cells;
    return GDRQ_OK;
}

/*
 * The map's column (or row) for pixel i of a side of `size` pixels, which fills `part` of the
 * network's `net_size` from `begin` on; the map has `cells` of them.
 */
static int cell_of(int i, int size, int begin, int part, int net_size, int cells) {
    const double centre = begin + (i + .5) * part / size;
    const int cell = (int)(centre * cells / net_size);
    return cell < cells ? cell : cells - 1;
}

/* frame->classes by the nearest neighbour, out of the letterbox. */
static void map_back(const network *net, const gdrq_frame *frame, int w, int h, uint8_t *classes) {
    const layer *last = &net->layers[net->n - 1];
    const gdrq_placement p = gdrq_letterbox_place(w, h, net->w, net->h);
    for (int x = 0; x < w; x++)
        frame->cells[x] = cell_of(x, w, p.x, p.w, net->w, last->w);
#pragma omp parallel for schedule(static)
    for (int y = 0; y < h; y++) {
        const int line = cell_of(y, h, p.y, p.h, net->h, last->h);
        const uint8_t *row = frame->classes + (size_t)line * (size_t)last->w;
        for (int x = 0; x < w; x++)
            classes[(size_t)y * (size_t)w + (size_t)x] = row[frame->cells[x]];
    }
}

/* The scores of image 0 to where the host has them. */
static gdrq_status fetch_scores(const network *net, const layer *l, gdrq_error *err) {
#ifdef GPU
    if (gdrq_is_on_gpu(net))
        return gdrq_device_pull(l->output, l->output_gpu, (size_t)l->outputs * sizeof(float), err);
#else
    (void)net, (void)l, (void)err;
#endif
    return GDRQ_OK;
}

gdrq_status gdrq_network_classes(struct network *net, int w, int h, unsigned char *classes,
                                 gdrq_error *err) {
    gdrq_status status = check(net, err);
    if (status != GDRQ_OK)
        return status;
    if (w < 1 || h < 1)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "classes: a picture can't be of %d x %d", w, h);
    const layer *last = &net->layers[net->n - 1];
    const gdrq_tensor_shape shape = {last->w, last->h, last->classes};
    gdrq_frame *frame = &gdrq_network_state_find(net)->frame;
    status = make_room(frame, (size_t)last->truths, (size_t)w, err);
    if (status == GDRQ_OK)
        status = fetch_scores(net, last - 1, err);
    if (status != GDRQ_OK)
        return status;
    if (!gdrq_argmax(shape, last[-1].output, frame->classes))
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "the network's output for this picture is not finite");
    map_back(net, frame, w, h, classes);
    return GDRQ_OK;
}

gdrq_status gdrq_network_segment(struct network *net, const gdrq_pixels *image,
                                 unsigned char *classes, double *seconds, gdrq_error *err) {
    gdrq_status status = check(net, err);
    if (status == GDRQ_OK)
        status = gdrq_frame_predict(net, image, net->n - 1, seconds, err);
    if (status != GDRQ_OK || !classes)
        return status;
    return gdrq_network_classes(net, image->w, image->h, classes, err);
}
