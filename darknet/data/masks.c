#include "data/masks.h"

#include "base/alloc.h"
#include "base/status.h"
#include "data/text_lines.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 28 };

static const char *const image_folders[] = {"images", "JPEGImages"};

/* The last folder of the path that pictures are in; its length in *n. NULL: there is none. */
static const char *image_folder(const char *path, size_t *n) {
    const char *found = NULL, *begin = path;
    for (const char *slash; (slash = strchr(begin, '/')); begin = slash + 1)
        for (size_t i = 0; i < sizeof image_folders / sizeof *image_folders; i++)
            if (strlen(image_folders[i]) == (size_t)(slash - begin) &&
                !strncmp(begin, image_folders[i], (size_t)(slash - begin))) {
                found = begin;
                *n = (size_t)(slash - begin);
            }
    return found;
}

/* The end of the image's path without its extension. */
static const char *stem_end(const char *image) {
    const char *name = strrchr(image, '/') + 1, *dot = strrchr(name, '.');
    return dot && dot > name ? dot : name + strlen(name);
}

/* The image's path with another folder and extension, allocated. */
static char *sibling(const char *image, const char *at, size_t n, const char *folder,
                     const char *extension) {
    const char *end = stem_end(image);
    const size_t size = strlen(image) + strlen(folder) + strlen(extension) + 1;
    char *path = gdrq_alloc(size, 1);
    if (path)
        snprintf(path, size, "%.*s%s%.*s%s", (int)(at - image), image, folder,
                 (int)(end - (at + n)), at + n, extension);
    return path;
}

static bool is_link(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

gdrq_status mask_path(const char *image, char **path, bool *is_png, gdrq_error *err) {
    static const struct {
        const char *folder, *extension;
    } places[] = {{"masks", ".png"}, {"mask", ".txt"}, {"masks", ".txt"}};
    size_t n = 0;
    const char *at = image_folder(image, &n);
    *path = NULL;
    if (!at)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%.800s: no folder of this path is called 'images', beside which 'masks' "
                         "would be",
                         image);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *candidate = sibling(image, at, n, places[i].folder, places[i].extension);
        if (!candidate)
            return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%.800s: out of memory", image);
        if (access(candidate, F_OK) == 0) {
            *path = candidate;
            *is_png = i == 0;
            return GDRQ_OK;
        }
        if (is_link(candidate)) {
            const gdrq_status status =
                gdrq_fail(err, GDRQ_ERROR_IO, "%.500s: its mask %.400s is a link to nothing", image,
                          candidate);
            free(candidate);
            return status;
        }
        free(candidate);
    }
    return gdrq_fail(err, GDRQ_ERROR_IO,
                     "%.500s: its mask is missing: %.*smasks%.*s.png (or, as run lengths, .txt "
                     "there or in 'mask')",
                     image, (int)(at - image), image, (int)(stem_end(image) - (at + n)), at + n);
}

static gdrq_status check_size(const char *path, int mask_w, int mask_h, int w, int h,
                              gdrq_error *err) {
    if (mask_w == w && mask_h == h)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%.800s: the mask has %d x %d pixels, its image %d x %d; they must be equal",
                     path, mask_w, mask_h, w, h);
}

/* Numbers become classes or MASK_VOID. */
static gdrq_status apply_rules(const char *path, const mask_rules *rules, index_picture *mask,
                               gdrq_error *err) {
    for (int y = 0; y < mask->h; y++)
        for (int x = 0; x < mask->w; x++) {
            unsigned char *pixel = &mask->at[(size_t)y * (size_t)mask->w + (size_t)x];
            if (*pixel == rules->void_index)
                *pixel = MASK_VOID;
            else if (*pixel >= rules->classes)
                return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                                 "%.800s: pixel (%d, %d) has the class %d; there are %d classes, "
                                 "0..%d, and %d is void",
                                 path, x, y, *pixel, rules->classes, rules->classes - 1,
                                 rules->void_index);
        }
    return GDRQ_OK;
}

static gdrq_status load_png(const char *path, int w, int h, const mask_rules *rules,
                            index_picture *mask, gdrq_error *err) {
    gdrq_status status = index_png_load(path, mask, err);
    if (status == GDRQ_OK)
        status = check_size(path, mask->w, mask->h, w, h, err);
    return status == GDRQ_OK ? apply_rules(path, rules, mask, err) : status;
}

/* ---- run lengths ---- */

/* One line of a file, behind its class. */
typedef struct runs {
    const char *path;
    int line;
    const char *at;
} runs;

/* The next length; -1 at the end of the line. */
static gdrq_status next_run(runs *r, size_t left, long *length, gdrq_error *err) {
    *length = -1;
    r->at += strspn(r->at, " \t,");
    if (!*r->at)
        return GDRQ_OK;
    char *end;
    *length = strtol(r->at, &end, 10);
    if (end == r->at || *length < 0 || *length == LONG_MAX || (*end && !strchr(" \t,", *end)))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%.800s:%d: '%.20s' is no length of a run; expected 'CLASS R,R,R,...'",
                         r->path, r->line, r->at);
    if ((size_t)*length > left)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%.800s:%d: the runs have more pixels than the image", r->path, r->line);
    r->at = end;
    return GDRQ_OK;
}

static gdrq_status paint_runs(runs *r, int value, index_picture *mask, gdrq_error *err) {
    const size_t pixels = (size_t)mask->w * (size_t)mask->h;
    size_t at = 0;
    bool inside = false;
    for (;; inside = !inside) {
        long length;
        const gdrq_status status = next_run(r, pixels - at, &length, err);
        if (status != GDRQ_OK)
            return status;
        const size_t n = length < 0 ? pixels - at : (size_t)length;
        if (inside && n > 0)
            memset(mask->at + at, value, n);
        at += n;
        if (length < 0)
            return GDRQ_OK;
    }
}

static gdrq_status paint_line(const char *path, int number, const char *line,
                              const mask_rules *rules, index_picture *mask, gdrq_error *err) {
    char word[16] = "";
    int class_id;
    const size_t n = strcspn(line, " \t");
    snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : 0, line);
    if (!text_to_int(word, 0, 255, &class_id) ||
        (class_id >= rules->classes && class_id != rules->void_index))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%.800s:%d: class '%.20s' is not allowed: there are %d classes, 0..%d",
                         path, number, line, rules->classes, rules->classes - 1);
    runs r = {.path = path, .line = number, .at = line + n};
    return paint_runs(&r, class_id == rules->void_index ? MASK_VOID : class_id, mask, err);
}

static gdrq_status load_runs(const char *path, int w, int h, const mask_rules *rules,
                             index_picture *mask, gdrq_error *err) {
    text_lines text;
    gdrq_status status = text_lines_read(path, MOST_BYTES, &text, err);
    if (status != GDRQ_OK)
        return status;
    status = index_picture_make(w, h, mask, err);
    if (status == GDRQ_OK)
        memset(mask->at, rules->background < 0 ? MASK_VOID : rules->background,
               (size_t)w * (size_t)h);
    for (int i = 0; i < text.n && status == GDRQ_OK; i++)
        if (*text.lines[i])
            status = paint_line(path, i + 1, text.lines[i], rules, mask, err);
    text_lines_free(&text);
    return status;
}

gdrq_status mask_load(const char *image, int w, int h, const mask_rules *rules, index_picture *mask,
                      gdrq_error *err) {
    char *path;
    bool is_png;
    *mask = (index_picture){0};
    gdrq_status status = mask_path(image, &path, &is_png, err);
    if (status == GDRQ_OK)
        status = (is_png ? load_png : load_runs)(path, w, h, rules, mask, err);
    free(path);
    if (status != GDRQ_OK)
        index_picture_free(mask);
    return status;
}
