#include "prompt.h"

#include "base/status.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

gdrq_status prompt_for_images(prompt_work *work, void *user, gdrq_error *err) {
    char *line = NULL;
    size_t size = 0;
    int images = 0, failed = 0;
    for (;;) {
        printf("Enter Image Path: ");
        fflush(stdout);
        if (getline(&line, &size, stdin) < 0)
            break;
        line[strcspn(line, "\r\n")] = '\0';
        if (!*line)
            continue;
        images++;
        if (work(user, line, err) != GDRQ_OK) {
            report_error(err);
            failed++;
        }
    }
    putchar('\n');
    free(line);
    if (!failed || isatty(STDIN_FILENO))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_IO, "%d of %d images failed", failed, images);
}
