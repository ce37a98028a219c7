/* The colours that classes of pixels are drawn in. */
#ifndef DATA_PALETTE_H
#define DATA_PALETTE_H

#include "gdrq.h"
#include "image/index_png.h"

/*
 * From a text file with a line "RED GREEN BLUE", numbers of 0..255, for each class. Lines that
 * begin with # and blank lines at the end do not count; fewer colours than classes are an error.
 * What lies behind the classes is black, up to index 255, which is void.
 */
gdrq_status palette_read(const char *path, int classes, palette *colours, gdrq_error *err);

/* Those in which boxes of the classes are drawn. */
palette palette_of_classes(int classes);

#endif
