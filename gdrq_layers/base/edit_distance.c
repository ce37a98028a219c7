#include "base/edit_distance.h"

#include <assert.h>
#include <string.h>

static int lesser(int a, int b) {
    return a < b ? a : b;
}

/* The table of distances between beginnings of a and b, one row at a time. */
int gdrq_edit_distance(const char *a, const char *b) {
    int row[GDRQ_LONGEST_NAME + 1];
    const int n = (int)strlen(b);
    assert(n <= GDRQ_LONGEST_NAME);
    for (int j = 0; j <= n; ++j)
        row[j] = j;
    for (int i = 1; a[i - 1]; ++i) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; ++j) {
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = lesser(replaced, 1 + lesser(row[j], row[j - 1]));
        }
    }
    return row[n];
}

gdrq_name_search gdrq_name_search_start(const char *wrong) {
    const int length = (int)strnlen(wrong, GDRQ_LONGEST_NAME + 1);
    /* Beyond a third of its letters, a resemblance is chance. */
    return (gdrq_name_search){.wrong = wrong,
                              .distance = length > GDRQ_LONGEST_NAME ? 0 : 2 + length / 3};
}

void gdrq_name_search_try(gdrq_name_search *search, const char *known) {
    const int distance = search->distance ? gdrq_edit_distance(search->wrong, known) : 0;
    if (distance < search->distance) {
        search->best = known;
        search->distance = distance;
    }
}
