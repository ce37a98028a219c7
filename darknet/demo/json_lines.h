/* A frame and what was found in it as one line of JSON. */
#ifndef DARKNET_DEMO_JSON_LINES_H
#define DARKNET_DEMO_JSON_LINES_H

#include "demo/frame.h"
#include "demo/task.h"

/* Where a line is made; its memory is kept. */
typedef struct json_line {
    FILE *stream;
    char *text; /* the line, without its end */
    size_t n;
} json_line;

gdrq_status json_line_open(json_line *line, gdrq_error *err);

/* seconds: since the source's beginning. line->text is good until the next one. */
gdrq_status json_line_make(json_line *line, demo_task *task, const frame *f, int most_objects,
                           double seconds, gdrq_error *err);

void json_line_free(json_line *line);

#endif
