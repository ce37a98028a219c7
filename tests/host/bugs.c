/*
 * The host's bugs, one subcommand each, in a program that links the stock library only: it exits
 * with status 0 if the bug did no harm. Alone it must fail (or crash), with LD_PRELOAD=libgdrq.so
 * succeed; stock_bugs.bats runs both.
 */
#include <math.h>
#include <unistd.h>

#include "darknet.h"

/* Half the squared error, whose gradient the host's cost layer has. */
static double loss(network *net) {
    double sum = 0;
    net->train = 1;
    forward_network(net);
    const layer out = net->layers[net->n - 2];
    for (int i = 0; i < out.outputs; ++i)
        sum += .5 * pow((double)net->truth[i] - out.output[i], 2);
    return sum;
}

static void fill(float *x, int n) {
    for (int i = 0; i < n; ++i)
        x[i] = (float)((i * 37 + 11) % 101) / 101.f - .3f;
}

/* The gradient of the first layer in front of a residual with a 1x1 convolution in it. */
static int one_by_one(char *cfg) {
    network *net = load_network(cfg, 0, 0);
    layer *l = &net->layers[0];
    fill(net->input, net->inputs);
    fill(net->truth, net->truths);
    loss(net);
    backward_network(net);
    double worst = 0, largest = 0;
    for (int i = 0; i < l->nweights; ++i) {
        const double back = -l->weight_updates[i];
        const float at = l->weights[i];
        l->weights[i] = at + 2e-3f;
        const double above = loss(net);
        l->weights[i] = at - 2e-3f;
        const double numeric = (above - loss(net)) / 4e-3;
        l->weights[i] = at;
        worst = fmax(worst, fabs(back - numeric));
        largest = fmax(largest, fabs(numeric));
    }
    printf("gradient error %.2f %%\n", 100 * worst / largest);
    return worst > .01 * largest;
}

static int save_in_place(char *cfg, char *weights) {
    network *net = load_network(cfg, 0, 0);
    /* A variance of 0, as before any training, would blow up differently in every reader. */
    for (int i = 0; i < net->n; ++i)
        for (int k = 0; net->layers[i].batch_normalize && k < net->layers[i].n; ++k)
            net->layers[i].rolling_variance[k] = 1 + .1f * (float)k;
    save_weights(net, weights);
    return 0;
}

/* Loads as for a new training, makes one step and saves. */
static int resave(char *cfg, char *from, char *to) {
    network *net = load_network(cfg, from, 1);
    fill(net->input, net->inputs);
    train_network_datum(net);
    save_weights(net, to);
    return 0;
}

static int windows(char *picture) {
    image im = load_image_color(picture, 0, 0);
    make_window("test", 64, 64, 0);
    show_image(im, "test", 1);
    return 0;
}

/* A training step on truths made by hand; `second` is the class of another box in the same cell. */
static int step(char *cfg, float second) {
    network *net = load_network(cfg, 0, 0);
    fill(net->input, net->inputs * net->batch);
    for (int i = 0; i < 2; ++i) {
        const float box[5] = {.5f, .5f, .3f, .3f, i ? second : 0.f};
        memcpy(net->truth + 5 * i, box, sizeof box);
    }
    train_network_datum(net);
    return 0;
}

/* A training step of an instance segmentation layer on one instance of class `id`, then inference.
 */
static int iseg(char *cfg, float id) {
    network *net = load_network(cfg, 0, 0);
    const layer l = net->layers[net->n - 1];
    const int mask = l.w * l.h;
    fill(net->input, net->inputs);
    for (int i = 0; i < mask; ++i)
        net->truth[1 + i] = 1;
    net->truth[0] = id;
    net->truth[mask + 1] = -1;
    train_network_datum(net);
    return network_predict(net, net->input) == 0;
}

/* As the trainers do it: a label file's boxes, up to the yolo layer's max of them, per image. */
static int many_boxes(char *cfg) {
    network *net = load_network(cfg, 0, 0);
    const layer l = net->layers[net->n - 1];
    data d = {0};
    d.X = make_matrix(net->batch, net->inputs);
    d.y = make_matrix(net->batch, 5 * l.max_boxes);
    for (int b = 0; b < net->batch; ++b)
        for (int i = 0; i < l.max_boxes; ++i) {
            const float box[5] = {.5f, .5f, .3f, .3f, 0};
            memcpy(d.y.vals[b] + 5 * i, box, sizeof box);
        }
    train_network(net, d);
    free_network(net);
    return 0;
}

/* The sequence that the program seeded must go on behind load_network. */
static int random_sequence(char *cfg) {
    int drawn[2];
    for (int i = 0; i < 2; ++i) {
        srand(100 + i);
        load_network(cfg, 0, 0);
        drawn[i] = rand();
    }
    return drawn[0] == drawn[1];
}

/* Backward of maxpool on NaN writes net.delta[-1], which is the heap's own bookkeeping. */
static int maxpool_nan(char *cfg) {
    network *net = load_network(cfg, 0, 0);
    const float *delta = net->layers[0].delta;
    int before, after;
    memcpy(&before, delta - 1, sizeof before);
    for (int i = 0; i < net->inputs; ++i)
        net->input[i] = NAN;
    train_network_datum(net);
    memcpy(&after, delta - 1, sizeof after);
    return before != after;
}

static int shell_injection(void) {
    char name[] = "x;touch pwned;.jpg";
    load_image_color(name, 0, 0);
    return access("pwned", F_OK) == 0;
}

static int resize(char *cfg) {
    network *net = load_network(cfg, 0, 0);
    resize_network(net, 64, 32);
    return net->w != 64 || net->h != 32;
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    const char *what = argv[1];
    if (!strcmp(what, "one_by_one"))
        return one_by_one(argv[2]);
    if (!strcmp(what, "load"))
        return load_network(argv[2], argc > 3 ? argv[3] : 0, 0) == 0;
    if (!strcmp(what, "save"))
        return save_in_place(argv[2], argv[3]);
    if (!strcmp(what, "resave"))
        return resave(argv[2], argv[3], argv[4]);
    if (!strcmp(what, "windows"))
        return windows(argv[2]);
    if (!strcmp(what, "step"))
        return step(argv[2], argc > 3 ? (float)atof(argv[3]) : 0);
    if (!strcmp(what, "many_boxes"))
        return many_boxes(argv[2]);
    if (!strcmp(what, "iseg"))
        return iseg(argv[2], (float)atof(argv[3]));
    if (!strcmp(what, "random"))
        return random_sequence(argv[2]);
    if (!strcmp(what, "maxpool_nan"))
        return maxpool_nan(argv[2]);
    if (!strcmp(what, "injection"))
        return shell_injection();
    if (!strcmp(what, "resize"))
        return resize(argv[2]);
    return 2;
}
