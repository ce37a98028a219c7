/* How alike two names are, for messages that say what a wrong one was probably meant to be. */
#ifndef GDRQ_BASE_EDIT_DISTANCE_H
#define GDRQ_BASE_EDIT_DISTANCE_H

/* Longer names have no distance: callers leave them out of the search. */
enum { GDRQ_LONGEST_NAME = 64 };

/*
 * Levenshtein's distance: the fewest insertions, deletions and replacements of letters that turn a
 * into b. Both are at most GDRQ_LONGEST_NAME long.
 */
int gdrq_edit_distance(const char *a, const char *b);

#endif
