/*
 * outputs run CFG WEIGHTS FILE: the network's outputs for a fixed input, as floats; where WEIGHTS
 * does not exist, the random weights of this run are saved there.
 * outputs compare A B: exits with 0 if all numbers agree to float rounding.
 */
#include <math.h>
#include <unistd.h>

#include "darknet.h"

static int run(char *cfg, char *weights, const char *file) {
    srand(7);
    network *net = load_network(cfg, 0, 0);
    if (access(weights, R_OK) == 0) {
        load_weights(net, weights);
    } else {
        /* Untrained statistics are zeros, behind which every output is NaN. */
        for (int i = 0; i < net->n; ++i)
            for (int k = 0; net->layers[i].batch_normalize && net->layers[i].rolling_variance &&
                            k < net->layers[i].out_c;
                 ++k)
                net->layers[i].rolling_variance[k] = 1 + .01f * (float)(k % 7);
        save_weights(net, weights);
    }
    set_batch_network(net, 1);
    float *input = calloc((size_t)net->inputs, sizeof(float));
    for (int i = 0; i < net->inputs; ++i)
        input[i] = (float)((i * 73 + i / 97) % 256) / 255.f;
    const float *out = network_predict(net, input);
    FILE *f = fopen(file, "wb");
    const size_t n = (size_t)net->outputs;
    return !f || fwrite(out, sizeof(float), n, f) != n || fclose(f) != 0;
}

static int compare(const char *a, const char *b) {
    FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
    if (!f || !g)
        return 2;
    float x, y;
    double worst = 0, largest = 0;
    long n = 0;
    while (fread(&x, sizeof x, 1, f) == 1 && fread(&y, sizeof y, 1, g) == 1) {
        if (!isfinite(x) || !isfinite(y))
            return printf("output %ld: %g and %g\n", n, x, y), 1;
        worst = fmax(worst, fabs((double)x - y));
        largest = fmax(largest, fabs((double)x));
        ++n;
    }
    printf("%ld outputs, largest %g, largest difference %g\n", n, largest, worst);
    return n == 0 || largest == 0 || fgetc(f) != EOF || fgetc(g) != EOF ||
           !(worst <= 2e-4 * largest);
}

int main(int argc, char **argv) {
    if (argc == 5 && !strcmp(argv[1], "run"))
        return run(argv[2], argv[3], argv[4]);
    if (argc == 4 && !strcmp(argv[1], "compare"))
        return compare(argv[2], argv[3]);
    return 2;
}
