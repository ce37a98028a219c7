/* Pictures one after the other: a folder, a pattern, a list, or a single one. */
#include "demo/source.h"

#include "base/alloc.h"
#include "base/status.h"
#include "data/folder.h"
#include "demo/numbered.h"
#include "image/picture_paths.h"
#include "seconds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* "f_%03d.jpg" as a shell's pattern, "f_[0-9][0-9][0-9].jpg": sorted names are in order then. The
   caller frees it; NULL: out of memory. */
static char *pattern_of(const char *what) {
    static const char digit[] = "[0-9]";
    int width, end;
    const char *format = source_number_format(what, &width, &end);
    const size_t size = strlen(what) + (size_t)width * strlen(digit) + 1;
    char *pattern = gdrq_alloc(size, 1);
    if (!pattern)
        return NULL;
    char *at = pattern + snprintf(pattern, size, "%.*s", format ? (int)(format - what) : 0, what);
    for (int i = 0; i < width; i++)
        at = stpcpy(at, digit);
    strcpy(at, format ? format + end : what);
    return pattern;
}

static gdrq_status find(const char *what, picture_paths *paths, gdrq_error *err) {
    struct stat st;
    if (stat(what, &st) == 0)
        return picture_paths_find(what, paths, err);
    char *pattern = pattern_of(what);
    *paths = (picture_paths){0};
    const gdrq_status status = pattern ? picture_paths_match(pattern, paths, err)
                                       : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    free(pattern);
    return status;
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
