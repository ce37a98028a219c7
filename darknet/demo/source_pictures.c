/* Pictures one after the other: a folder, a pattern, a list, or a single one. */
#include "demo/source.h"

#include "base/alloc.h"
#include "base/status.h"
#include "data/folder.h"
#include "demo/numbered.h"
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

static gdrq_status find(const char *what, picture_paths *paths, gdrq_error *err) {
    struct stat st;
    return (stat(what, &st) == 0 ? picture_paths_find : picture_paths_match)(what, paths, err);
}

static gdrq_status open_pictures(source *s, gdrq_error *err) {
    picture_source *p = pictures_of(s);
    p->next = 0;
    picture_paths_free(&p->paths);
    return find(p->what, &p->paths, err);
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

gdrq_status source_pictures_check_outputs(const char *what, const char *const *outputs, int n,
                                          const char *prefix, gdrq_error *err) {
    picture_paths paths;
    gdrq_status status = find(what, &paths, err);
    const char *const *inputs = (const char *const *)paths.at;
    for (int i = 0; i < n && status == GDRQ_OK; i++)
        if (outputs[i])
            status = folder_check_output(outputs[i], inputs, paths.n, err);
    for (int i = 0; i < paths.n && prefix && status == GDRQ_OK; i++)
        if (numbered_can_be(prefix, paths.at[i]))
            status = gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                               "-prefix %.300s: %.600s, which is read, could be replaced: give "
                               "another prefix",
                               prefix, paths.at[i]);
    picture_paths_free(&paths);
    return status;
}
