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
