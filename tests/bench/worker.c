/*
 * A Darknet program that is not linked with gdrq: run it alone and it measures the stock library,
 * under LD_PRELOAD the plugin, which is then asked for the times of layers, too.
 *   worker init CFG WEIGHTS      writes random weights, the same ones in every run
 *   worker train CFG WEIGHTS     serves training iterations on a batch that stays in memory
 *   worker forward CFG WEIGHTS   serves inference
 */
#include "darknet.h"
#include "gdrq.h"
#include "inputs.h"
#include "protocol.h"

#include <dlfcn.h>

enum { OBJECTS = 8 }; /* per image */

typedef struct trainer {
    network *net;
    float *input, *truth; /* a batch */
    bench_work work;
} trainer;

/* Boxes of a tenth to four tenths of the image, inside it. */
static void make_boxes(float *truth, const layer *last, uint64_t *random) {
    for (int i = 0; i < OBJECTS; ++i) {
        float *box = truth + 5 * i;
        for (int side = 0; side < 2; ++side) {
            const float size = .1f + .3f * bench_unit(random);
            box[2 + side] = size;
            box[side] = size / 2 + (1 - size) * bench_unit(random);
        }
        box[4] = (float)(bench_random(random) % (uint32_t)last->classes);
    }
}

static float *make_truth(const network *net) {
    const layer *last = &net->layers[net->n - 1];
    float *truth = calloc((size_t)net->truths * net->batch, sizeof *truth);
    uint64_t random = 2;
    for (int b = 0; truth && b < net->batch; ++b) {
        float *image = truth + (size_t)net->truths * b;
        if (last->type == YOLO)
            make_boxes(image, last, &random);
        else
            image[bench_random(&random) % (uint32_t)net->truths] = 1;
    }
    return truth;
}

static float *make_input(const network *net) {
    const size_t n = (size_t)net->inputs * net->batch;
    float *input = malloc(n * sizeof *input);
    if (input)
        bench_pixels(input, n);
    return input;
}

static void train_pass(void *user) {
    trainer *t = user;
    network *net = t->net;
    memcpy(net->input, t->input, (size_t)net->inputs * net->batch * sizeof *t->input);
    memcpy(net->truth, t->truth, (size_t)net->truths * net->batch * sizeof *t->truth);
    t->work.cost = train_network_datum(net);
}

static int write_floats(FILE *file, const float *values, size_t n) {
    return fwrite(values, sizeof *values, n, file) != n;
}

/* What training changes. */
static int dump_parameters(void *user, FILE *file) {
    const network *net = ((trainer *)user)->net;
    int failed = 0;
    for (int i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (l->type != CONVOLUTIONAL)
            continue;
        failed |= write_floats(file, l->weights, (size_t)l->nweights);
        failed |= write_floats(file, l->biases, (size_t)l->n);
        if (l->batch_normalize)
            failed |= write_floats(file, l->scales, (size_t)l->n);
    }
    return failed;
}

static void forward_pass(void *user) {
    trainer *t = user;
    network_predict(t->net, t->input);
}

/* The heads before their own activations; without yolo layers, the network's output. */
static int dump_outputs(void *user, FILE *file) {
    const network *net = ((trainer *)user)->net;
    int failed = 0, heads = 0;
    for (int i = 1; i < net->n; ++i)
        if (net->layers[i].type == YOLO) {
            const layer *head = &net->layers[i - 1];
            failed |= write_floats(file, head->output, (size_t)head->outputs * net->batch);
            ++heads;
        }
    return heads ? failed : write_floats(file, net->output, (size_t)net->outputs * net->batch);
}

typedef gdrq_status gdrq_bench_fn(network *, int, gdrq_timing *, gdrq_timing *, gdrq_error *);

static int time_layers(void *user, int n, double *total, double *each) {
    network *net = ((trainer *)user)->net;
    gdrq_bench_fn *bench = (gdrq_bench_fn *)dlsym(RTLD_DEFAULT, "gdrq_network_bench");
    gdrq_timing whole, *layers = calloc((size_t)net->n, sizeof *layers);
    gdrq_error error = {"the stock library has no times of layers"};
    if (!layers || !bench || bench(net, n, layers, &whole, &error) != GDRQ_OK)
        return fprintf(stderr, "worker: %s\n", error.message), free(layers), 1;
    *total = whole.median;
    for (int i = 0; i < net->n; ++i)
        if (net->layers[i].type == CONVOLUTIONAL)
            *each++ = layers[i].median;
    free(layers);
    return 0;
}

static int count_convolutions(const network *net) {
    int n = 0;
    for (int i = 0; i < net->n; ++i)
        n += net->layers[i].type == CONVOLUTIONAL;
    return n;
}

static size_t code_bytes(const network *net) {
    size_t floats = 0;
    for (int i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (l->type == CONVOLUTIONAL)
            floats += (size_t)l->nweights + (size_t)l->inputs * l->batch;
    }
    return floats * sizeof(float);
}

static int serve(char *cfg, char *weights, int training) {
    FILE *answers = bench_answers();
    if (!answers)
        return perror("worker: standard output"), 1;
    trainer t = {.net = load_network(cfg, weights, 1)};
    t.input = make_input(t.net);
    t.truth = training ? make_truth(t.net) : NULL;
    if (!t.input || (training && !t.truth))
        return fprintf(stderr, "worker: out of memory\n"), 1;
    t.work = (bench_work){.user = &t,
                          .pass = training ? train_pass : forward_pass,
                          .dump = training ? dump_parameters : dump_outputs,
                          .layers = training ? NULL : time_layers,
                          .n_layers = count_convolutions(t.net),
                          .code_bytes = code_bytes(t.net)};
    const int status = bench_serve(&t.work, answers);
    free(t.input);
    free(t.truth);
    return status;
}

/*
 * Batch norm's running statistics of fresh layers are zero, which blows outputs up: they get those
 * of one batch.
 */
static int init(char *cfg, char *weights) {
    srand(7);
    network *net = load_network(cfg, NULL, 1);
    float *input = make_input(net);
    if (!input)
        return fprintf(stderr, "worker: out of memory\n"), 1;
    memcpy(net->input, input, (size_t)net->inputs * net->batch * sizeof *input);
    net->train = 1;
    forward_network(net);
    for (int i = 0; i < net->n; ++i) {
        layer *l = &net->layers[i];
        if (l->type != CONVOLUTIONAL || !l->batch_normalize)
            continue;
        memcpy(l->rolling_mean, l->mean, (size_t)l->n * sizeof *l->mean);
        memcpy(l->rolling_variance, l->variance, (size_t)l->n * sizeof *l->variance);
    }
    save_weights(net, weights);
    free(input);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "init") == 0)
        return init(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "train") == 0)
        return serve(argv[2], argv[3], 1);
    if (argc == 4 && strcmp(argv[1], "forward") == 0)
        return serve(argv[2], argv[3], 0);
    fprintf(stderr, "usage: worker init|train|forward CFG WEIGHTS\n");
    return 2;
}
