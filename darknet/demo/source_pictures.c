/* Pictures one after the other: a folder, a pattern, a list, or a single one. */
#include "demo/source.h"

#include "base/alloc.h"
#include "base/status.h"
#include "image/picture_paths.h"
#include "seconds.h"

#include <stdlib.h>
#include <sys/stat.h>

typedef struct picture_source {
    source base;
    const char *what;
    picture_paths paths;
    int next;
} picture_source;

static picture_source *pictures_of(source *s) {
    return (picture_source *)s;
}

static gdrq_status open_pictures(source *s, gdrq_error *err) {
    picture_source *p = pictures_of(s);
    struct stat st;
    p->next = 0;
    picture_paths_free(&p->paths);
    return (stat(p->what, &st) == 0 ? picture_paths_find : picture_paths_match)(p->what, &p->paths,
                                                                                err);
}

static source_event next_picture(source *s, frame_buffer *frame, double *captured,
                                 gdrq_error *err) {
    picture_source *p = pictures_of(s);
    if (p->next == p->paths.n)
        return SOURCE_END;
    picture loaded;
    if (picture_load(p->paths.at[p->next++], &loaded, err) != GDRQ_OK)
        return SOURCE_SKIPPED;
    frame_buffer_free(frame);
    *frame = (frame_buffer){loaded, 3 * (size_t)loaded.w * (size_t)loaded.h};
    *captured = seconds_now();
    return SOURCE_FRAME;
}

static void free_pictures(source *s) {
    picture_paths_free(&pictures_of(s)->paths);
    free(s);
}

gdrq_status source_pictures_make(source_request *request, source **made, gdrq_error *err) {
    static const source_methods methods = {open_pictures, next_picture, free_pictures};
    picture_source *p = gdrq_alloc(1, sizeof *p);
    if (!p)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    p->base = (source){.methods = &methods, .name = request->name};
    p->what = request->what;
    *made = &p->base;
    return GDRQ_OK;
}
