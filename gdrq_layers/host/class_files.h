/* The files that [softmax] and [region] name: trees of classes and maps between classes. */
#ifndef GDRQ_HOST_CLASS_FILES_H
#define GDRQ_HOST_CLASS_FILES_H

#include "host/section_value.h"

/*
 * Checks a tree file: one "name parent" per line, where the parent is the line number (from 0) of
 * an earlier line, or -1; as many lines as there are classes.
 */
gdrq_status gdrq_tree_check(const gdrq_place *place, const gdrq_cfg_option *option, int classes,
                            gdrq_error *err);

/* Checks a map file: one class per line, each from 0 to classes - 1. */
gdrq_status gdrq_map_check(const gdrq_place *place, const gdrq_cfg_option *option, int classes,
                           gdrq_error *err);

#endif
