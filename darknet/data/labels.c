#include "data/labels.h"

#include "base/alloc.h"
#include "base/status.h"
#include "data/text_lines.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    MOST_BYTES = 1 << 24,
    PROGRESS_STEP = 256, /* images */
};

static const double tolerance = 1e-3;

/* Replaces the first `from` in path, whose buffer has room. */
static void replace_first(char *path, const char *from, const char *to) {
    char *at = strstr(path, from);
    if (!at)
        return;
    char *rest = at + strlen(from);
    memmove(at + strlen(to), rest, strlen(rest) + 1);
    memcpy(at, to, strlen(to));
}

/* Where the extension of an image begins, at its dot; NULL if it is another or none. */
static char *image_extension(char *path) {
    static const char *const known[] = {".jpg", ".jpeg", ".jpe",  ".png", ".bmp",
                                        ".tif", ".tiff", ".webp", ".ppm", ".pgm"};
    char *dot = strrchr(path, '.');
    if (!dot || strchr(dot, '/'))
        return NULL;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i)
        if (strcasecmp(dot, known[i]) == 0)
            return dot;
    return NULL;
}

gdrq_status label_path(const char *image, char **path, gdrq_error *err) {
    /* "raw" grows by three bytes, "images" and extensions never do. */
    char *made = gdrq_alloc(strlen(image) + 16, 1);
    *path = NULL;
    if (!made)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", image);
    strcpy(made, image);
    char *extension = image_extension(made);
    if (!extension) {
        free(made);
        return gdrq_fail(
            err, GDRQ_ERROR_FORMAT,
            "%.800s: no label file belongs to this name: it does not end in .jpg, .jpeg, "
            ".png, .bmp or another image's extension",
            image);
    }
    strcpy(extension, ".txt");
    replace_first(made, "images", "labels");
    replace_first(made, "JPEGImages", "labels");
    replace_first(made, "raw", "labels");
    *path = made;
    return GDRQ_OK;
}

typedef struct line_place {
    const char *path;
    int number;
} line_place;

/* Cuts the next word off *line; "" at the end. */
static char *next_word(char **line) {
    char *word = *line + strspn(*line, " \t\r");
    char *end = word + strcspn(word, " \t\r");
    *line = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

static gdrq_status parse_class(const line_place *at, const char *word, int classes, int *class_id,
                               gdrq_error *err) {
    if (text_to_int(word, 0, classes - 1, class_id))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%s:%d: class '%.40s' is not allowed: there are %d classes, 0..%d", at->path,
                     at->number, word, classes, classes - 1);
}

/* A number in 0..1, or in (0, 1] for a size. `c` keeps the decimal point a point in any locale. */
static gdrq_status parse_fraction(const line_place *at, const char *name, const char *word,
                                  bool size, locale_t c, float *value, gdrq_error *err) {
    char *end;
    const double number = strtod_l(word, &end, c);
    if (end == word || *end || !isfinite(number))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s:%d: %s '%.40s' is not a finite number",
                         at->path, at->number, name, word);
    /* After rounding to float, since the smallest doubles become 0. */
    *value = (float)fmin(fmax(number, 0), 1);
    if (number > 1 + tolerance || number < -tolerance || (size && *value == 0))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s:%d: %s = %.40s is not allowed: it is relative to the image, %s",
                         at->path, at->number, name, word, size ? "above 0 and up to 1" : "0 to 1");
    return GDRQ_OK;
}

static gdrq_status parse_label(const line_place *at, char *line, int classes, locale_t c,
                               label *out, gdrq_error *err) {
    char *words[5], *rest = line;
    int n = 0;
    while (n < 5 && *(words[n] = next_word(&rest)))
        ++n;
    const char *further = n == 5 ? next_word(&rest) : "";
    if (n < 5)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s:%d: %d words; expected five, 'class x y w h'",
                         at->path, at->number, n);
    if (*further)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s:%d: '%.40s' behind the fifth number; expected 'class x y w h'",
                         at->path, at->number, further);
    const struct {
        const char *name;
        bool size;
        float *value;
    } fields[] = {
        {"x", false, &out->x}, {"y", false, &out->y}, {"w", true, &out->w}, {"h", true, &out->h}};
    gdrq_status status = parse_class(at, words[0], classes, &out->class_id, err);
    for (int i = 0; i < 4 && status == GDRQ_OK; ++i)
        status = parse_fraction(at, fields[i].name, words[i + 1], fields[i].size, c,
                                fields[i].value, err);
    return status;
}

static gdrq_status parse_lines(const char *path, const text_lines *text, int classes,
                               label_list *list, gdrq_error *err) {
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    list->labels = gdrq_alloc((size_t)text->n, sizeof *list->labels);
    gdrq_status status = GDRQ_OK;
    if (!c || !list->labels)
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    for (int i = 0; i < text->n && status == GDRQ_OK; ++i) {
        if (!*text->lines[i])
            continue;
        const line_place at = {path, i + 1};
        status = parse_label(&at, text->lines[i], classes, c, &list->labels[list->n], err);
        list->n += status == GDRQ_OK;
    }
    if (c)
        freelocale(c);
    return status;
}

gdrq_status labels_read(const char *path, int classes, label_list *list, gdrq_error *err) {
    *list = (label_list){0};
    text_lines text;
    gdrq_status status = text_lines_read(path, MOST_BYTES, &text, err);
    if (status != GDRQ_OK)
        return status;
    status = parse_lines(path, &text, classes, list, err);
    text_lines_free(&text);
    if (status != GDRQ_OK)
        labels_free(list);
    return status;
}

gdrq_status labels_read_for(const char *image, int classes, label_list *list, gdrq_error *err) {
    *list = (label_list){0};
    char *path;
    gdrq_status status = label_path(image, &path, err);
    if (status != GDRQ_OK)
        return status;
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        status = gdrq_fail(err, GDRQ_ERROR_IO,
                           "%.400s: its label file %.400s is missing; for an image without objects "
                           "make an empty one",
                           image, path);
    else
        status = labels_read(path, classes, list, err);
    free(path);
    return status;
}

void labels_free(label_list *list) {
    free(list->labels);
    *list = (label_list){0};
}

typedef struct label_check {
    int classes;
    labels_progress *progress;
    void *user;
} label_check;

static gdrq_status check_image(const void *user, const image_list *list, int i, gdrq_error *err) {
    const label_check *check = user;
    gdrq_status status = image_file_check(list->paths[i], err);
    if (status == GDRQ_OK) {
        label_list labels;
        status = labels_read_for(list->paths[i], check->classes, &labels, err);
        labels_free(&labels);
    }
    if (check->progress && ((i + 1) % PROGRESS_STEP == 0 || i + 1 == list->n))
        check->progress(check->user, i + 1, list->n);
    return status;
}

gdrq_status labels_check_all(const image_list *list, int classes, labels_progress *progress,
                             void *user, gdrq_error *err) {
    const label_check check = {classes, progress, user};
    return image_list_check(list, check_image, &check, err);
}
