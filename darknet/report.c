#include "report.h"

#include <stdarg.h>
#include <stdio.h>

void report(const char *format, ...) {
    fflush(stdout);
    fputs("darknet: ", stderr);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int report_error(const gdrq_error *err) {
    report("%s", err->message);
    return 1;
}

int report_usage(const char *command, const gdrq_error *err) {
    report("%s: %s", command, err->message);
    return 2;
}

void report_or_keep(gdrq_status other, const gdrq_error *other_err, gdrq_status *status,
                    gdrq_error *err) {
    if (other == GDRQ_OK)
        return;
    if (*status != GDRQ_OK) {
        report_error(other_err);
        return;
    }
    *status = other;
    *err = *other_err;
}

void report_note(void *user, const char *line) {
    (void)user;
    report("%s", line);
}
