#include "colour_input.h"

#include "base/status.h"

gdrq_status colour_input_check(const network *net, const char *cfg_path, gdrq_error *err) {
    if (net->c == 3 && net->w > 0 && net->h > 0 && net->inputs == net->w * net->h * 3)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%s: [net] must have channels=3 and a width and height: pictures are read in "
                     "colour",
                     cfg_path);
}
