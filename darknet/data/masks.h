/*
 * The class of every pixel of an image, from the file that belongs to it:
 *
 *   images/A/NAME.jpg  ->  masks/A/NAME.png   a pixel is the number of its class: 8 bits (or fewer)
 *                                             in one channel, or an index into a palette
 *                      or  mask/A/NAME.txt    upstream's: a line "CLASS R,R,R,..." per object; R
 *                      or  masks/A/NAME.txt   are lengths of runs, row after row from the left
 *                                             upper pixel, the first of pixels outside of it, and
 *                                             then in turns; pixels behind the last run continue
 *                                             the turns. Later objects hide earlier ones
 *
 * The last folder of the path that is called images or JPEGImages is what changes its name. The PNG
 * file counts where there are several.
 */
#ifndef DATA_MASKS_H
#define DATA_MASKS_H

#include "gdrq.h"
#include "image/index_png.h"

/* The index in memory of a pixel that has no class, whatever the files call it. */
enum { MASK_VOID = 255 };

/* What the numbers in the files mean. */
typedef struct mask_rules {
    int classes;    /* 0..classes-1 are classes, at most GDRQ_MOST_PIXEL_CLASSES */
    int void_index; /* this one is void, 0..255, also where it is below `classes` */
    int background; /* class of the pixels in no object of a .txt file; -1: void */
} mask_rules;

/*
 * The mask's path, allocated, and which of both kinds of file it is. Fails if none of them is
 * there, with the names that were looked for, if it is a link to nothing, or if no folder of the
 * path is called images.
 */
gdrq_status mask_path(const char *image, char **path, bool *is_png, gdrq_error *err);

/*
 * The mask of an image of w x h pixels; void is MASK_VOID. Fails, naming the file, if it is
 * missing, damaged, of another size, or has a number that is no class. On failure *mask is empty.
 */
gdrq_status mask_load(const char *image, int w, int h, const mask_rules *rules, index_picture *mask,
                      gdrq_error *err);

#endif
