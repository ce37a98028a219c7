#include "demo/source.h"

#include "base/status.h"
#include "data/folder.h"
#include "image/picture_paths.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* "0": a camera's number; -1: none. */
static int camera_number(const char *what) {
    char *end;
    const long n = strtol(what, &end, 10);
    return isdigit((unsigned char)*what) && !*end && n < 1024 ? (int)n : -1;
}

static bool exists(const char *path, struct stat *st) {
    return stat(path, st) == 0;
}

const char *source_number_format(const char *what, int *width, int *end) {
    *width = *end = 0;
    for (const char *at = what; (at = strchr(at, '%')); at++) {
        int length = 0;
        if (sscanf(at, "%%0%1d%*1[d]%n", width, &length) == 1 && length > 0 && *width > 0) {
            *end = length;
            return at;
        }
    }
    *width = 0;
    return NULL;
}

static bool names_pictures(const char *what) {
    struct stat st;
    if (exists(what, &st))
        return S_ISDIR(st.st_mode) || picture_paths_knows(what);
    int width, end;
    if (source_number_format(what, &width, &end) && picture_paths_knows(what))
        return !strstr(what, "://");
    return strpbrk(what, "*?[") && !strstr(what, "://") && !strstr(what, " ! ");
}

void source_request_name(source_request *r) {
    if (r->what && camera_number(r->what) >= 0) {
        r->camera = camera_number(r->what);
        r->what = NULL;
    }
    if (r->what)
        snprintf(r->name, sizeof r->name, "%s", r->what);
    else
        snprintf(r->name, sizeof r->name, "camera %d", r->camera);
}

gdrq_status source_make(source_request *r, source **made, gdrq_error *err) {
    *made = NULL;
    if (r->what && !strncmp(r->what, "fake:", 5))
        return source_fake_make(r, made, err);
    if (r->what && names_pictures(r->what))
        return source_pictures_make(r, made, err);
    return source_video_make(r, made, err);
}

gdrq_status source_check(const char *what, gdrq_error *err) {
    source_request request = {.what = what};
    struct stat st;
    source *made;
    source_request_name(&request);
    const bool is_path = request.what && !strstr(what, "://") && !strstr(what, " ! ") &&
                         strncmp(what, "fake:", 5) && !names_pictures(what);
    if (is_path && !exists(what, &st))
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: no camera, video or folder of pictures",
                               what);
    const gdrq_status status = source_make(&request, &made, err);
    if (status == GDRQ_OK)
        made->methods->free(made);
    return status;
}

gdrq_status source_check_outputs(const char *what, const char *const *outputs, int n,
                                 const char *prefix, gdrq_error *err) {
    static const char scheme[] = "file://";
    if (names_pictures(what))
        return source_pictures_check_outputs(what, outputs, n, prefix, err);
    const bool is_url = !strncmp(what, scheme, strlen(scheme));
    const char *const file = is_url ? what + strlen(scheme) : what;
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < n && status == GDRQ_OK; i++)
        if (outputs[i])
            status = folder_check_output(outputs[i], &file, 1, err);
    return status;
}
