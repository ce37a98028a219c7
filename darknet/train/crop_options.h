/* Augmentation by parts of pictures, as [net] of a cfg sets it. */
#ifndef DARKNET_TRAIN_CROP_OPTIONS_H
#define DARKNET_TRAIN_CROP_OPTIONS_H

#include "darknet.h"
#include "train/augment_crop.h"

crop_options crop_options_of(const network *net);

/* Whether the numbers are possible; the message names the keys. */
gdrq_status crop_options_check(const crop_options *o, const char *cfg_path, gdrq_error *err);

#endif
