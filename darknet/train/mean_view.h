/* The network with the running mean of its weights in place of the weights: to measure and save. */
#ifndef DARKNET_TRAIN_MEAN_VIEW_H
#define DARKNET_TRAIN_MEAN_VIEW_H

#include "darknet.h"
#include "gdrq.h"
#include "train/ema.h"
#include "train/loader.h"

/*
 * Batch norm's statistics were those of the weights of each iteration, and their running mean is
 * not what the mean of the weights gives, least of all where weights are rounded. So they are
 * measured on training images each time (as in stochastic weight averaging, arXiv 1803.05407,
 * section 3.2).
 */
typedef struct mean_view {
    ema *mean;       /* borrowed; NULL: none, the network is shown as it is */
    loader *samples; /* NULL: the statistics are their running mean */
    int images;      /* that they are measured on, at least */
    float *kept;     /* the mean while it is shown: what was measured does not go into it */
    float *measured; /* what was shown last, which is shown again until the mean has moved */
    bool has_measured;
    uint64_t measured_at; /* steps of the mean */
} mean_view;

/*
 * `samples`: as the training's, with its seed. The statistics are measured on as many images as
 * gdrq_network_ema_images() says. Close it also after an error.
 */
gdrq_status mean_view_open(mean_view *v, ema *mean, const network *net,
                           const loader_options *samples, gdrq_error *err);

/*
 * The network, which has its thresholds, becomes the mean; to be hidden before it trains on. A stop
 * signal is an error if it is `stoppable`. After an error it is hidden already.
 */
gdrq_status mean_view_show(mean_view *v, network *net, bool stoppable, gdrq_error *err);
void mean_view_hide(mean_view *v, network *net);

void mean_view_close(mean_view *v);

#endif
