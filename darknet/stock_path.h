/* Upstream's data files name data/coco.names and others relative to upstream's own folder. */
#ifndef DARKNET_STOCK_PATH_H
#define DARKNET_STOCK_PATH_H

/*
 * The path, allocated: as it is, or, where it is relative, leads nowhere, and Debian's package has
 * the file, that file in /usr/share/darknet, with a note on stderr. NULL when memory is out.
 */
char *stock_path(const char *path);

#endif
