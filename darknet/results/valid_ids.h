/* What the evaluations of PASCAL VOC and COCO call an image, derived from its path as upstream
 * does. */
#ifndef RESULTS_VALID_IDS_H
#define RESULTS_VALID_IDS_H

#include "data/image_list.h"
#include "gdrq.h"

/* The file name up to its first dot: *length bytes from the returned pointer, within `image`. */
const char *valid_voc_id(const char *image, int *length);

/*
 * The number behind the last '_' of the file name, or at its beginning
 * (COCO_val2014_000000000042.jpg, 000000000042.jpg). A file name without one is an error. Upstream
 * also looks for the '_' in the names of folders.
 */
gdrq_status valid_coco_id(const char *image, long *id, gdrq_error *err);

/* That all images have a number and no two the same, which would mix their results. */
gdrq_status valid_coco_ids_check(const image_list *list, gdrq_error *err);

#endif
