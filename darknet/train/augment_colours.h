/* What augmentation for every task ends with: colours change in HSV, and pixels become codes. */
#ifndef DARKNET_TRAIN_AUGMENT_COLOURS_H
#define DARKNET_TRAIN_AUGMENT_COLOURS_H

#include "image/picture.h"
#include "train/random.h"

typedef struct colour_change {
    float hue;               /* is added; in full circles, [0, 1] */
    float saturation, value; /* factors */
} colour_change;

/* Hue by at most `hue` of a full circle; factors up to the limits, or their inverse. */
colour_change colour_draw(random_stream *random, float hue, float saturation, float exposure);

/* Codes, 3 * h * w in planes of red, green and blue, of the picture or of its mirror image. */
void colour_planes(const picture *in, bool mirrored, const colour_change *change,
                   unsigned char *codes);

#endif
