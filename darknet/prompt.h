/* What upstream's commands do without an image on the command line. */
#ifndef DARKNET_PROMPT_H
#define DARKNET_PROMPT_H

#include "gdrq.h"

/*
 * Asks for images on standard input until it ends and calls `work` with each. What fails is
 * reported, and is no reason to stop; where a list is piped in, the end is then an error. A person
 * at a terminal may have corrected it.
 */
typedef gdrq_status prompt_work(void *user, const char *path, gdrq_error *err);
gdrq_status prompt_for_images(prompt_work *work, void *user, gdrq_error *err);

#endif
