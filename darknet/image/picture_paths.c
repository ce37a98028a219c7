#include "image/picture_paths.h"

#include "base/alloc.h"
#include "base/status.h"
#include "data/image_list.h"

#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_picture_name(const char *name) {
    static const char *const known[] = {".jpg", ".jpeg", ".jpe",  ".png", ".bmp",
                                        ".tif", ".tiff", ".webp", ".ppm", ".pgm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(dot, known[i]))
            return true;
    return false;
}

/* Appends "folder/name", or name alone; at has room. */
static gdrq_status append(picture_paths *paths, const char *folder, const char *name,
                          gdrq_error *err) {
    const size_t size = (folder ? strlen(folder) + 1 : 0) + strlen(name) + 1;
    char *path = gdrq_alloc(size, 1);
    if (!path)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", name);
    snprintf(path, size, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
    paths->at[paths->n++] = path;
    return GDRQ_OK;
}

static gdrq_status make_room(picture_paths *paths, int n, gdrq_error *err) {
    paths->at = gdrq_alloc((size_t)n, sizeof *paths->at);
    return paths->at ? GDRQ_OK : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d paths", n);
}

static int is_picture_entry(const struct dirent *entry) {
    return is_picture_name(entry->d_name);
}

static gdrq_status add_folder(picture_paths *paths, const char *folder, gdrq_error *err) {
    struct dirent **entries;
    const int n = scandir(folder, &entries, is_picture_entry, alphasort);
    if (n < 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read the folder", folder);
    gdrq_status status = make_room(paths, n, err);
    for (int i = 0; i < n; i++) {
        if (status == GDRQ_OK)
            status = append(paths, folder, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    if (status == GDRQ_OK && !n)
        return gdrq_fail(err, GDRQ_ERROR_IO, "%s: the folder has no picture", folder);
    return status;
}

static gdrq_status add_list(picture_paths *paths, const char *path, gdrq_error *err) {
    image_list list;
    gdrq_status status = image_list_read(path, &list, err);
    if (status != GDRQ_OK)
        return status;
    status = make_room(paths, list.n, err);
    for (int i = 0; i < list.n && status == GDRQ_OK; i++)
        status = append(paths, NULL, list.paths[i], err);
    image_list_free(&list);
    return status;
}

gdrq_status picture_paths_find(const char *what, picture_paths *paths, gdrq_error *err) {
    *paths = (picture_paths){0};
    struct stat st;
    gdrq_status status;
    if (stat(what, &st) != 0) {
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: no picture, folder or list", what);
    } else if (S_ISDIR(st.st_mode)) {
        status = add_folder(paths, what, err);
    } else if (is_picture_name(what)) {
        status = make_room(paths, 1, err);
        if (status == GDRQ_OK)
            status = append(paths, NULL, what, err);
    } else {
        status = add_list(paths, what, err);
    }
    if (status != GDRQ_OK)
        picture_paths_free(paths);
    return status;
}

gdrq_status picture_paths_match(const char *pattern, picture_paths *paths, gdrq_error *err) {
    *paths = (picture_paths){0};
    glob_t found;
    const int failed = glob(pattern, 0, NULL, &found);
    if (failed)
        return gdrq_fail(err, failed == GLOB_NOSPACE ? GDRQ_ERROR_MEMORY : GDRQ_ERROR_IO,
                         "%s: no picture has such a name", pattern);
    gdrq_status status = make_room(paths, (int)found.gl_pathc, err);
    for (size_t i = 0; i < found.gl_pathc && status == GDRQ_OK; i++)
        if (is_picture_name(found.gl_pathv[i]))
            status = append(paths, NULL, found.gl_pathv[i], err);
    globfree(&found);
    if (status == GDRQ_OK && !paths->n)
        status = gdrq_fail(err, GDRQ_ERROR_IO, "%s: no picture has such a name", pattern);
    if (status != GDRQ_OK)
        picture_paths_free(paths);
    return status;
}

bool picture_paths_knows(const char *name) {
    const char *dot = strrchr(name, '.');
    return is_picture_name(name) || (dot && !strcasecmp(dot, ".txt"));
}

void picture_paths_free(picture_paths *paths) {
    for (int i = 0; i < paths->n; i++)
        free(paths->at[i]);
    free(paths->at);
    *paths = (picture_paths){0};
}
