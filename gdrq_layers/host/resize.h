/* Changing a network's input size, for training with random=1 and for images of other shapes. */
#ifndef GDRQ_HOST_RESIZE_H
#define GDRQ_HOST_RESIZE_H

#include "darknet.h"
#include "gdrq.h"

/*
 * Resizes every layer, for w, h >= 1 pixels. All new buffers are made before the first old one
 * goes, so on error (a layer that would vanish, sizes that no longer fit together, a connected
 * layer whose input would change, memory) nothing has changed; on a GPU, arrays may have moved with
 * what they hold (host/cuda/resize_gpu.h). Buffers are sized for the largest
 * batch that the network was made for, whatever set_batch_network() says now.
 */
gdrq_status gdrq_resize(network *net, int w, int h, gdrq_error *err);

#endif
