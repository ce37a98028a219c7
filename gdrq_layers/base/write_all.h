/* Writing to a descriptor until all is written. */
#ifndef GDRQ_BASE_WRITE_ALL_H
#define GDRQ_BASE_WRITE_ALL_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes n bytes, in as many goes as it takes. false on an error, which errno tells. */
bool gdrq_write_all(int fd, const void *bytes, size_t n);

#ifdef __cplusplus
}
#endif
#endif
