/* The pictures of an inspection. */
#ifndef INSPECT_INSPECT_PICTURES_H
#define INSPECT_INSPECT_PICTURES_H

#include "inspect/inspection.h"
#include "output_check.h"

/* An error if one of the pictures in the folder would replace one of the inputs. */
gdrq_status inspect_pictures_check(const inspection *in, const char *folder,
                                   const run_inputs *inputs, gdrq_error *err);

/* The same of a file that is also to be written; the folder is there. */
gdrq_status inspect_pictures_check_output(const inspection *in, const char *folder,
                                          const char *output, gdrq_error *err);

/*
 * Writes layer_NNN.png for each quantised layer, and overview.png, into the folder, which is there;
 * each complete or not at all.
 */
gdrq_status inspect_pictures_save(const inspection *in, const char *folder, gdrq_error *err);

#endif
