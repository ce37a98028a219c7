#include "train/crop_options.h"

#include "base/status.h"
#include "gdrq.h"

crop_options crop_options_of(const network *net) {
    return (crop_options){.angle = net->angle,
                          .aspect = net->aspect,
                          .min_ratio = net->min_ratio,
                          .max_ratio = net->max_ratio,
                          .center = net->center,
                          .hue = net->hue,
                          .saturation = net->saturation,
                          .exposure = net->exposure,
                          .max_shift = gdrq_network_max_shift(net)};
}

gdrq_status crop_options_check(const crop_options *o, const char *cfg_path, gdrq_error *err) {
    if (o->center || (o->aspect > 0 && o->min_ratio > 0 && o->max_ratio > 0))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%s: [net] aspect, min_crop and max_crop (or min_ratio and max_ratio) must be "
                     "above 0",
                     cfg_path);
}
