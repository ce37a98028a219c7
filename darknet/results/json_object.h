/* One detected object in JSON, as AlexeyAB's result.json has it. */
#ifndef RESULTS_JSON_OBJECT_H
#define RESULTS_JSON_OBJECT_H

#include <stdio.h>

#include "darknet.h"

/*
 * Prints class_id, name, relative_coordinates (0..1, of the centre and the sides) and confidence.
 * For a picture of w x h, unless w is 0, also "pixels": the box's left upper corner and its sides.
 */
void json_put_object(FILE *out, const box *b, int class_id, const char *name, float score, int w,
                     int h);

#endif
