/*
 * compare A B [START]: how far two files of floats are apart, |A - B| / |B| in the Euclidean norm;
 * with START, both are changes of it: |A - B| / |B - START|. Prints the number.
 */
#include <math.h>
#include <stdio.h>

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4)
        return fprintf(stderr, "usage: compare A B [START]\n"), 2;
    FILE *files[3] = {0};
    for (int i = 0; i < argc - 1; ++i)
        if (!(files[i] = fopen(argv[i + 1], "rb")))
            return fprintf(stderr, "compare: %s: can't open\n", argv[i + 1]), 1;
    double difference = 0, size = 0;
    size_t n = 0;
    for (;;) {
        float values[3] = {0};
        int read = 0;
        for (int i = 0; i < argc - 1; ++i)
            read += fread(&values[i], sizeof values[i], 1, files[i]) == 1;
        if (!read)
            break;
        if (read != argc - 1)
            return fprintf(stderr, "compare: the files differ in size\n"), 1;
        difference += pow((double)values[0] - values[1], 2);
        size += pow((double)values[1] - values[2], 2);
        ++n;
    }
    if (!n || !(size > 0))
        return fprintf(stderr, "compare: nothing to compare: %zu numbers, norm %g\n", n, size), 1;
    printf("%g\n", sqrt(difference / size));
    return 0;
}
