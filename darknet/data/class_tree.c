#include "data/class_tree.h"

#include "base/status.h"
#include "data/text_lines.h"

#include <string.h>

enum { MOST_BYTES = 1 << 24 };

/* Splits the line in place. */
static bool is_line_of(const tree *t, int class_id, char *line) {
    char *end = line + strcspn(line, " \t");
    const char *parent_text = *end ? end + 1 + strspn(end + 1, " \t") : end;
    int parent;
    *end = '\0';
    return !strcmp(line, t->name[class_id]) && text_to_int(parent_text, -1, t->n, &parent) &&
           parent == t->parent[class_id];
}

gdrq_status class_tree_check(const tree *t, const char *path, gdrq_error *err) {
    text_lines text;
    gdrq_status status = text_lines_read(path, MOST_BYTES, &text, err);
    if (status != GDRQ_OK)
        return status;
    if (text.n != t->n)
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT,
                           "%s: the tree has %d lines, the network's has %d: both must be the same",
                           path, text.n, t->n);
    for (int i = 0; i < t->n && status == GDRQ_OK; i++)
        if (!is_line_of(t, i, text.lines[i]))
            status = gdrq_fail(err, GDRQ_ERROR_FORMAT,
                               "%s:%d: the network's tree has '%s %d' here: both must be the same",
                               path, i + 1, t->name[i], t->parent[i]);
    text_lines_free(&text);
    return status;
}

static bool is_among(const text_lines *text, const char *name) {
    for (int i = 0; i < text->n; i++)
        if (!strcmp(text->lines[i], name))
            return true;
    return false;
}

gdrq_status class_tree_set_leaves(tree *t, const char *path, gdrq_error *err) {
    text_lines text;
    const gdrq_status status = text_lines_read(path, MOST_BYTES, &text, err);
    if (status != GDRQ_OK)
        return status;
    int found = 0;
    for (int i = 0; i < t->n; i++)
        found += t->leaf[i] = is_among(&text, t->name[i]);
    text_lines_free(&text);
    if (found)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: no line is a class of the network's tree", path);
}

static bool is_known(const float *truth, int n) {
    for (int i = 0; i < n; i++)
        if (truth[i] > 0)
            return true;
    return false;
}

void class_tree_truth(const tree *t, int class_id, float *truth) {
    memset(truth, 0, (size_t)t->n * sizeof *truth);
    for (int i = class_id; i >= 0; i = t->parent[i])
        truth[i] = 1;
    for (int g = 0; g < t->groups; g++) {
        float *of_group = truth + t->group_offset[g];
        if (!is_known(of_group, t->group_size[g]))
            for (int i = 0; i < t->group_size[g]; i++)
                of_group[i] = SECRET_NUM;
    }
}
