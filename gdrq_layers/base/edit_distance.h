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

/* A search for the known name that a wrong one was probably meant to be. */
typedef struct gdrq_name_search {
    const char *wrong;
    const char *best; /* NULL: none is near */
    int distance;     /* of a name that is not near any more, or of the best */
} gdrq_name_search;

gdrq_name_search gdrq_name_search_start(const char *wrong);
void gdrq_name_search_try(gdrq_name_search *search, const char *known);

#endif
