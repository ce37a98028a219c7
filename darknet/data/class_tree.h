/* A hierarchy of classes, which a [softmax] with tree= has: what classification needs of it. */
#ifndef DATA_CLASS_TREE_H
#define DATA_CLASS_TREE_H

#include "darknet.h"
#include "gdrq.h"

/* Whether the file at `path`, lines "name parent", describes this very tree. */
gdrq_status class_tree_check(const tree *t, const char *path, gdrq_error *err);

/* Only classes that the file names, one per line, can be predicted then. */
gdrq_status class_tree_set_leaves(tree *t, const char *path, gdrq_error *err);

/*
 * The truth, t->n numbers, of an image of that class: 1 for it and its ancestors. Of the groups of
 * siblings without such a class nothing is known: theirs is SECRET_NUM.
 */
void class_tree_truth(const tree *t, int class_id, float *truth);

#endif
