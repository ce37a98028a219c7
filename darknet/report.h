/* Messages to the user: results go to stdout, all else to stderr. */
#ifndef DARKNET_REPORT_H
#define DARKNET_REPORT_H

#include "gdrq.h"

/* "darknet: ..." and a newline on stderr, after what stdout holds. */
void report(const char *format, ...) GDRQ_PRINTF(1, 2);

/* Reports the error and returns 1, the exit status. */
int report_error(const gdrq_error *err);

/* Reports what is wrong with a command's flags or operands, and returns 2, the exit status. */
int report_usage(const char *command, const gdrq_error *err);

/*
 * The first error of several, which is what counts, is kept in *status and *err; another one behind
 * it is reported.
 */
void report_or_keep(gdrq_status other, const gdrq_error *other_err, gdrq_status *status,
                    gdrq_error *err);

/* A gdrq_note that reports its line; `user` is not used. */
void report_note(void *user, const char *line);

#endif
