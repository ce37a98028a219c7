#include "prompt.h"

#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void prompt_for_images(prompt_work *work, void *user) {
    char *line = NULL;
    size_t size = 0;
    gdrq_error err;
    for (;;) {
        printf("Enter Image Path: ");
        fflush(stdout);
        if (getline(&line, &size, stdin) < 0)
            break;
        line[strcspn(line, "\r\n")] = '\0';
        if (*line && work(user, line, &err) != GDRQ_OK)
            report_error(&err);
    }
    putchar('\n');
    free(line);
}
