/* Classes that no mask of a list has: rare ones, or a sign that masks don't hold what is expected.
 */
#ifndef DARKNET_ABSENT_CLASSES_H
#define DARKNET_ABSENT_CLASSES_H

#include "segmenter.h"

/*
 * One line on stderr that names them, if there are any. Where the .data file sets no void=, and
 * masks hold 255, it says what that means: they are often binary, 0 and 255.
 */
void absent_classes_note(const segmenter *s, const char *list_path, const mask_census *census);

#endif
