/* Names of the files that are written for one picture of several. */
#ifndef DARKNET_OUTPUT_NAME_H
#define DARKNET_OUTPUT_NAME_H

/*
 * BEGIN_NUMBER_NAME.EXTENSION, allocated, where NAME is that of `path` without folder and
 * extension; without the first _ if BEGIN ends in a slash. `begin` counts up to `length`, the
 * number has so many digits at least, and the extension its dot. NULL when memory is out.
 */
char *output_name_numbered(const char *begin, int length, int digits, int number, const char *path,
                           const char *extension);

#endif
