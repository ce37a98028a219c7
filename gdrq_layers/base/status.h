/* Errors: every fallible function returns gdrq_fail(err, status, "one line ...") or GDRQ_OK. */
#ifndef GDRQ_BASE_STATUS_H
#define GDRQ_BASE_STATUS_H

#include "gdrq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Formats the message into err (may be NULL) and returns status. */
gdrq_status gdrq_fail(gdrq_error *err, gdrq_status status, const char *format, ...)
    GDRQ_PRINTF(3, 4);

/* As gdrq_fail with ": <strerror(errno)>" appended; errno is read on entry. */
gdrq_status gdrq_fail_errno(gdrq_error *err, gdrq_status status, const char *format, ...)
    GDRQ_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif

#endif
