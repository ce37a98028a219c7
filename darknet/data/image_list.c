#include "data/image_list.h"

#include "base/status.h"

#include <string.h>
#include <sys/stat.h>

/* Ten million long paths. */
static const size_t most_bytes = (size_t)1 << 30;

gdrq_status image_list_read(const char *path, image_list *list, gdrq_error *err) {
    *list = (image_list){0};
    gdrq_status status = text_lines_read(path, most_bytes, &list->text, err);
    if (status != GDRQ_OK)
        return status;
    list->paths = list->text.lines;
    for (int i = 0; i < list->text.n && status == GDRQ_OK; ++i) {
        char *image = list->text.lines[i];
        if (strlen(image) > TEXT_LONGEST_PATH)
            status = gdrq_fail(err, GDRQ_ERROR_FORMAT,
                               "%s:%d: a path of %zu bytes; at most %d are allowed", path, i + 1,
                               strlen(image), TEXT_LONGEST_PATH);
        else if (*image)
            list->paths[list->n++] = image;
    }
    if (status == GDRQ_OK && !list->n)
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT,
                           "%s: the list has no image: write one path per line", path);
    if (status != GDRQ_OK)
        image_list_free(list);
    return status;
}

void image_list_free(image_list *list) {
    text_lines_free(&list->text);
    *list = (image_list){0};
}

gdrq_status image_file_check(const char *path, gdrq_error *err) {
    struct stat st;
    if (stat(path, &st) != 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%.900s: can't find the image", path);
    if (!S_ISREG(st.st_mode))
        return gdrq_fail(err, GDRQ_ERROR_IO, "%.900s: is no file, so no image", path);
    return GDRQ_OK;
}

gdrq_status image_list_verdict(const image_list *list, int bad, gdrq_status first,
                               const gdrq_error *problem, gdrq_error *err) {
    if (bad > 1)
        return gdrq_fail(err, first, "%.900s (and %d of %d images more have a problem)",
                         problem->message, bad - 1, list->n);
    return bad ? gdrq_fail(err, first, "%s", problem->message) : GDRQ_OK;
}

gdrq_status image_list_check(const image_list *list, image_check *check, const void *user,
                             gdrq_error *err) {
    gdrq_status first = GDRQ_OK;
    gdrq_error problem = {0}, ignored;
    int bad = 0;
    for (int i = 0; i < list->n; ++i) {
        const gdrq_status status = check(user, list, i, bad ? &ignored : &problem);
        if (status != GDRQ_OK && !bad++)
            first = status;
    }
    return image_list_verdict(list, bad, first, &problem, err);
}
