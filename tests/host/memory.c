/*
 * memory [CFG [WEIGHTS]]: loads the network and runs it once; prints the anonymous memory of this
 * process in kB. Without arguments that of a process that has only loaded the library.
 */
#include "darknet.h"

int main(int argc, char **argv) {
    if (argc > 1) {
        network *net = load_network(argv[1], argc > 2 ? argv[2] : 0, 0);
        set_batch_network(net, 1);
        float *input = calloc((size_t)net->inputs, sizeof(float));
        network_predict(net, input);
        free(input);
    }
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kilobytes = -1;
    while (status && fgets(line, sizeof line, status))
        sscanf(line, "RssAnon: %ld", &kilobytes);
    printf("%ld\n", kilobytes);
    return kilobytes < 0;
}
