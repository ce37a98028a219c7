/* The names of pictures that are numbered as frames are: P_00000012.jpg for the prefix P. */
#ifndef DARKNET_DEMO_NUMBERED_H
#define DARKNET_DEMO_NUMBERED_H

#include <stdbool.h>
#include <stddef.h>

enum { NUMBERED_MORE = 32 }; /* bytes that a name needs besides its prefix */

void numbered_name(const char *prefix, unsigned long number, char *name, size_t size);

/* Whether a picture of this prefix can have that path. */
bool numbered_can_be(const char *prefix, const char *path);

#endif
