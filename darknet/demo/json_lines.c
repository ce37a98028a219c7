#include "demo/json_lines.h"

#include "base/status.h"

#include <stdlib.h>

gdrq_status json_line_open(json_line *line, gdrq_error *err) {
    *line = (json_line){0};
    line->stream = open_memstream(&line->text, &line->n);
    return line->stream ? GDRQ_OK : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for JSON");
}

gdrq_status json_line_make(json_line *line, demo_task *task, const frame *f, int most_objects,
                           double seconds, gdrq_error *err) {
    demo_result told = f->result;
    const picture *p = &f->image.picture;
    told.most_objects = most_objects;
    rewind(line->stream);
    fprintf(line->stream,
            "{\"frame_id\":%lu, \"time\":%.3f, \"width\":%d, \"height\":%d, "
            "\"latency_ms\":%.2f, ",
            f->number, seconds, p->w, p->h, 1e3 * (f->done - f->captured));
    task->put_json(task, &told, p->w, p->h, line->stream);
    putc('}', line->stream);
    putc('\0', line->stream);
    if (fflush(line->stream) == 0 && !ferror(line->stream))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for JSON");
}

void json_line_free(json_line *line) {
    if (line->stream)
        fclose(line->stream);
    free(line->text);
    *line = (json_line){0};
}
