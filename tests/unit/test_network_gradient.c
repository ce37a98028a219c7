/*
 * Gradients of whole networks, as one forward and backward leave them, against differences of the
 * loss. The batches are small: with few values per channel a batch norm that takes N for N - 1, or
 * one epsilon for another, is far off. The host's own functions would not pass, which is tested
 * too.
 */
#include <math.h>

#include "small_network.h"

#include "primitives/segmentation_layer.h"

/* Largest error that passes, relative to the largest gradient of the array. */
static const double tolerance = 1e-3;

#define NET(batch, side) "[net]\nbatch=" #batch "\nwidth=" #side "\nheight=" #side "\nchannels=3\n"
#define CONV(filters, size, activation) \
    "[convolutional]\nfilters=" #filters "\nsize=" #size "\npad=1\nactivation=" #activation "\n"
#define CONV_BN(filters, size, activation) CONV(filters, size, activation) "batch_normalize=1\n"
#define YOLO_HEAD(mask) "[yolo]\nmask=" #mask "\nanchors=2,2, 4,3\nclasses=2\nnum=2\n"

/*
 * The loss is a weighted sum of the outputs of the last layer and of the layer `other_head`, if any
 * (0: none), but for layers that have a loss of their own.
 */
typedef struct example {
    const char *name, *cfg;
    int other_head;
} example;

/* clang-format off */
static const example examples[] = {
    {.name = "plain",
     .cfg = NET(2, 6) CONV(4, 3, tanh) "stride=2\n" CONV(5, 3, logistic) CONV(4, 1, linear)
            CONV(3, 3, linear)},
    {.name = "batch norm",
     .cfg = NET(2, 3) CONV_BN(4, 3, tanh) CONV_BN(6, 1, tanh) CONV_BN(4, 3, leaky) "stride=2\n"
            CONV(3, 1, linear)},
    /* A 1x1 between a residual's ends: its backward must add to what the shortcut left. */
    {.name = "residual",
     .cfg = NET(2, 4) CONV(4, 3, tanh) CONV(4, 1, tanh)
            "[shortcut]\nfrom=-2\nactivation=logistic\n" CONV(3, 3, linear)},
    {.name = "residual with batch norm",
     .cfg = NET(2, 4) CONV_BN(6, 3, tanh) CONV_BN(4, 1, tanh) CONV_BN(6, 3, leaky)
            "[shortcut]\nfrom=-3\nactivation=linear\n" CONV(3, 1, linear)},
    {.name = "groups",
     .cfg = NET(2, 5) CONV_BN(6, 3, tanh) CONV_BN(6, 3, tanh) "groups=6\n"
            CONV(4, 1, logistic) "groups=2\n" CONV_BN(4, 3, linear) "groups=2\nstride=2\n"},
    {.name = "batchnorm layer",
     .cfg = NET(2, 3) CONV(4, 3, tanh) "[batchnorm]\n"
            "[shortcut]\nfrom=-2\nactivation=linear\n" CONV(2, 3, linear)},
    {.name = "rearranged",
     .cfg = NET(2, 6) "[maxpool]\nsize=2\nstride=2\n" CONV(4, 3, linear)
            "[activation]\nactivation=tanh\n[shortcut]\nfrom=-2\nactivation=linear\n"
            "[upsample]\nstride=2\n[reorg]\nstride=2\n[route]\nlayers=-1,-5\n"
            CONV(2, 1, linear)},
    {.name = "classifier",
     .cfg = NET(3, 4) CONV_BN(6, 3, tanh) CONV_BN(7, 1, tanh) "[avgpool]\n"
            "[connected]\noutput=6\nactivation=tanh\nbatch_normalize=1\n"
            "[connected]\noutput=5\nactivation=linear\n[softmax]\n"},
    /* Every pixel's class, of which some are void, from two resolutions. */
    {.name = "segmenter",
     .cfg = NET(2, 6) CONV_BN(4, 3, tanh) CONV_BN(6, 3, tanh) "stride=2\n" CONV_BN(6, 3, tanh)
            "[shortcut]\nfrom=-2\nactivation=linear\n[upsample]\nstride=2\n"
            "[route]\nlayers=-1,0\n" CONV_BN(5, 3, tanh) CONV(4, 3, linear)
            "[segmentation]\nclasses=4\nclass_weights=1,.5,2,1.5\n"},
    /* More outputs than one run of batch norm takes at once. */
    {.name = "dense",
     .cfg = NET(4, 2) "[connected]\noutput=140\nactivation=tanh\nbatch_normalize=1\n"
            "[connected]\noutput=6\nactivation=tanh\n"
            "[connected]\noutput=3\nactivation=linear\nbatch_normalize=1\n"},
    {.name = "two heads",
     .cfg = NET(2, 8) CONV_BN(4, 3, tanh) CONV_BN(6, 3, tanh) "stride=2\n" CONV_BN(4, 1, tanh)
            CONV_BN(6, 3, tanh) "[shortcut]\nfrom=-3\nactivation=linear\n"
            CONV_BN(8, 3, leaky) "stride=2\n" CONV(7, 1, linear)
            "[route]\nlayers=-2\n" CONV_BN(4, 1, tanh) "[upsample]\nstride=2\n"
            "[route]\nlayers=-1,4\n" CONV_BN(5, 3, tanh) CONV(7, 1, linear),
     .other_head = 6},
    /* No boxes to find: the loss is the cross entropy of all objectnesses against 0. */
    {.name = "yolo",
     .cfg = NET(2, 8) CONV_BN(4, 3, tanh) CONV_BN(6, 3, tanh) "stride=2\n"
            CONV_BN(8, 3, tanh) "stride=2\n" CONV(7, 1, linear) YOLO_HEAD(1)
            "[route]\nlayers=-3\n" CONV_BN(4, 1, tanh) "[upsample]\nstride=2\n"
            "[route]\nlayers=-1,1\n" CONV_BN(5, 3, tanh) CONV(7, 1, linear) YOLO_HEAD(0),
     .other_head = 4},
};
/* clang-format on */
enum { EXAMPLES = sizeof examples / sizeof *examples };

/* ---- a network and its loss ---- */

enum { MAX_HEADS = 2 };
typedef struct subject {
    network *net;
    const layer *heads[MAX_HEADS];
    float *weights[MAX_HEADS]; /* of the head's outputs in the loss */
    int n;
} subject;

static size_t size_of(const layer *l) {
    return (size_t)l->batch * (size_t)l->outputs;
}

static void add_head(subject *s, int index) {
    const layer *l = &s->net->layers[index];
    s->heads[s->n] = l;
    s->weights[s->n++] = random_array(size_of(l), 1);
}

static bool has_own_loss(const layer *l) {
    return l->type == SOFTMAX || l->type == YOLO;
}

/*
 * Differences can't cross leaky's kink: with these biases the values of a channel stay on one side
 * of it, channel by channel the other one.
 */
static void keep_from_kink(layer *l) {
    for (int k = 0; k < l->n; k++)
        l->biases[k] = k % 2 ? -4 : 4;
}

static void randomise_connected(layer *l) {
    for (int k = 0; k < l->inputs * l->outputs; k++)
        l->weights[k] = random_normal() / sqrtf((float)l->inputs);
    for (int k = 0; k < l->outputs; k++)
        l->biases[k] = .2f * random_normal();
    for (int k = 0; l->batch_normalize && k < l->outputs; k++)
        l->scales[k] = .5f + (float)random_unit();
}

static void randomise_batchnorm(layer *l) {
    for (int k = 0; k < l->out_c; k++) {
        l->scales[k] = .5f + (float)random_unit();
        l->biases[k] = random_normal();
    }
}

/* One right class per image, or per pixel. */
static void randomise_truth(network *net, const layer *last) {
    const size_t truths = (size_t)net->batch * (size_t)net->truths;
    memset(net->truth, 0, truths * sizeof *net->truth);
    if (gdrq_is_segmentation_layer(last))
        for (size_t i = 0; i < truths; i++)
            net->truth[i] = (float)random_int(-1, last->classes - 1);
    else if (last->type == SOFTMAX)
        for (int b = 0; b < net->batch; b++)
            net->truth[b * last->inputs + random_int(0, last->inputs - 1)] = 1;
}

static subject make_subject(const example *e) {
    subject s = {.net = parse_text(e->cfg)};
    network *net = s.net;
    randomise(net);
    for (int i = 0; i < net->n; i++) {
        layer *l = &net->layers[i];
        if (l->type == CONVOLUTIONAL && l->activation == LEAKY)
            keep_from_kink(l);
        if (l->type == CONNECTED)
            randomise_connected(l);
        if (l->type == BATCHNORM)
            randomise_batchnorm(l);
    }
    for (int i = 0; i < net->inputs * net->batch; i++)
        net->input[i] = random_normal();
    randomise_truth(net, &net->layers[net->n - 1]);
    if (e->other_head)
        add_head(&s, e->other_head);
    add_head(&s, net->n - 1);
    net->train = 1;
    net->delta = calloc((size_t)net->inputs * (size_t)net->batch, sizeof *net->delta);
    assert_non_null(net->delta);
    return s;
}

static void free_subject(subject *s) {
    for (int i = 0; i < s->n; i++)
        free(s->weights[i]);
    free(s->net->delta);
    s->net->delta = NULL;
    free_network(s->net);
}

static double softmax_loss(const layer *l, const float *truth) {
    double loss = 0;
    for (size_t i = 0; i < size_of(l); i++)
        loss -= truth[i] * log(l->output[i]);
    return loss;
}

/* Of each image the mean over its pixels that have a class. */
static double segmentation_loss(const layer *l, const float *truth) {
    double loss = 0;
    for (int b = 0; b < l->batch; b++) {
        double sum = 0;
        int known = 0;
        for (int i = 0; i < l->truths; i++) {
            const int class_id = (int)truth[b * l->truths + i];
            if (class_id < 0)
                continue;
            known++;
            sum -=
                l->scales[class_id] * log(l->output[(b * l->classes + class_id) * l->truths + i]);
        }
        loss += sum / known;
    }
    return loss;
}

static double yolo_loss(const layer *l) {
    const int cells = l->w * l->h, entries = 4 + 1 + l->classes;
    double loss = 0;
    for (int box = 0; box < l->batch * l->n; box++)
        for (int i = 0; i < cells; i++)
            loss -= log1p(-l->output[(box * entries + 4) * cells + i]);
    return loss;
}

static double loss(const subject *s) {
    forward_network(s->net);
    double sum = 0;
    for (int k = 0; k < s->n; k++) {
        const layer *l = s->heads[k];
        if (gdrq_is_segmentation_layer(l))
            sum += segmentation_loss(l, s->net->truth);
        else if (l->type == SOFTMAX)
            sum += softmax_loss(l, s->net->truth);
        else if (l->type == YOLO)
            sum += yolo_loss(l);
        else
            for (size_t i = 0; i < size_of(l); i++)
                sum += (double)s->weights[k][i] * l->output[i];
    }
    return sum;
}

/* As everywhere in the host, what is carried back is the direction of descent. */
static void forward_backward(const subject *s) {
    forward_network(s->net);
    for (int k = 0; k < s->n; k++)
        for (size_t i = 0; !has_own_loss(s->heads[k]) && i < size_of(s->heads[k]); i++)
            s->heads[k]->delta[i] = -s->weights[k][i];
    backward_network(s->net);
}

/* ---- differences ---- */

/* Which piece of a function made of pieces the last forward was on, as a hash. */
static uint64_t piece(const network *net) {
    uint64_t hash = 0;
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        for (size_t k = 0; l->activation == LEAKY && k < size_of(l); k++)
            hash = 31 * hash + (l->output[k] > 0);
        for (size_t k = 0; l->type == MAXPOOL && k < size_of(l); k++)
            hash = 31 * hash + (uint64_t)l->indexes[k];
    }
    return hash;
}

/* Central differences of dL/d(*x) with steps 2^-3, 2^-4, ... 2^-7. */
enum { SIZES = 5, LARGEST = -3 };

/* Returns the first step that does not leave the piece. *x is as before afterwards. */
static int differences(const subject *s, float *x, double c[SIZES]) {
    const float at = *x;
    forward_network(s->net);
    const uint64_t here = piece(s->net);
    int first = 0;
    for (int k = 0; k < SIZES; k++) {
        const float h = ldexpf(1, LARGEST - k);
        *x = at + h;
        const double above = loss(s), high = *x;
        const bool stays = piece(s->net) == here;
        *x = at - h;
        const double below = loss(s), low = *x;
        c[k] = (above - below) / (high - low);
        if (!stays || piece(s->net) != here)
            first = k + 1;
    }
    *x = at;
    return first;
}

/* A derivative, and how far the two differences that agree best are apart. */
typedef struct estimate {
    double value, uncertainty;
} estimate;

/*
 * Richardson's extrapolation of each two neighbouring steps, with an error of the order of h^4, so
 * that steps can be large against what rounding does to the loss; how large depends on the
 * function's curvature, so that is left to where the results agree. Nothing here knows of backward.
 */
static estimate differentiate(const subject *s, float *x) {
    double c[SIZES];
    estimate best = {0, INFINITY};
    for (int k = differences(s, x, c); k + 2 < SIZES; k++) {
        const double coarse = (4 * c[k + 1] - c[k]) / 3, fine = (4 * c[k + 2] - c[k + 1]) / 3;
        if (fabs(fine - coarse) < best.uncertainty)
            best = (estimate){(fine + coarse) / 2, fabs(fine - coarse)};
    }
    return best;
}

/* The largest error so far, or the first that is NaN, and where. */
typedef struct worst {
    double error;
    char where[64];
} worst;

enum { SAMPLES = 8, DRAWS = 8 * SAMPLES };

static double largest_of(const float *x, int n) {
    double largest = 0;
    for (int i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)x[i]));
    return largest;
}

/* `updates` holds the negative gradient of n parameters. */
static void check_array(const subject *s, float *parameters, const float *updates, int n,
                        const char *what, int index, worst *w) {
    const double largest = largest_of(updates, n);
    int samples = 0;
    for (int draw = 0; draw < DRAWS && samples < SAMPLES; draw++) {
        const int i = random_int(0, n - 1);
        const estimate d = differentiate(s, &parameters[i]);
        const double scale = fmax(largest, fabs(d.value));
        if (d.uncertainty > tolerance / 4 * scale)
            continue;
        samples++;
        const double error = fabs(updates[i] + d.value) / scale;
        if (error <= w->error || isnan(w->error))
            continue;
        w->error = error;
        snprintf(w->where, sizeof w->where, "layer %d, %s[%d]: %.6g, differences %.6g", index, what,
                 i, -(double)updates[i], d.value);
    }
    if (samples < SAMPLES)
        fail_msg("layer %d, %s: differences of %d in %d draws are too uncertain", index, what,
                 DRAWS - samples, DRAWS);
}

static void check_layer(const subject *s, int i, worst *w) {
    const layer *l = &s->net->layers[i];
    const bool connected = l->type == CONNECTED, convolutional = l->type == CONVOLUTIONAL;
    if (!connected && !convolutional && l->type != BATCHNORM)
        return;
    const int channels = connected ? l->outputs : l->out_c;
    if (connected || convolutional)
        check_array(s, l->weights, l->weight_updates,
                    connected ? l->inputs * l->outputs : l->nweights, "weights", i, w);
    check_array(s, l->biases, l->bias_updates, channels, "biases", i, w);
    if (l->type == BATCHNORM || l->batch_normalize)
        check_array(s, l->scales, l->scale_updates, channels, "scales", i, w);
}

static worst check_example(const example *e) {
    subject s = make_subject(e);
    worst w = {0};
    forward_backward(&s);
    check_array(&s, s.net->input, s.net->delta, s.net->inputs * s.net->batch, "input", -1, &w);
    for (int i = 0; i < s.net->n; i++)
        check_layer(&s, i, &w);
    free_subject(&s);
    return w;
}

static void gradients_are_exact(void **state) {
    (void)state;
    for (int i = 0; i < EXAMPLES; i++) {
        const worst w = check_example(&examples[i]);
        printf("%-26s largest error %.1e (%s)\n", examples[i].name, w.error, w.where);
        if (!(w.error <= tolerance))
            fail_msg("%s: error %.2g: %s", examples[i].name, w.error, w.where);
    }
}

/* ---- the host's functions: this program runs itself, as GDRQ_STOCK is read once ---- */

/* For a program of its own: prints the error of the example with that name. */
static int tell_error(const char *name) {
    for (int i = 0; i < EXAMPLES; i++)
        if (!strcmp(examples[i].name, name)) {
            const worst w = check_example(&examples[i]);
            printf("error %.9g %s\n", w.error, w.where);
            return 0;
        }
    return 1;
}

static double error_with_stock(const char *stock, const char *name) {
    char self[4096] = "", command[8192], line[256];
    double error = -1;
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, "GDRQ_STOCK=%s '%s' '%s'", stock, self, name);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    while (fgets(line, sizeof line, output))
        if (sscanf(line, "error %lf", &error) == 1)
            printf("GDRQ_STOCK=%-23s %s: %s", stock, name, line);
    assert_int_equal(pclose(output), 0);
    return error;
}

/* So the tests above can fail: each of these gradients is wrong by far more than the tolerance. */
static void the_hosts_are_not(void **state) {
    (void)state;
    static const struct {
        const char *stock, *name;
    } wrong[] = {
        {"convolutional", "residual"},
        {"convolutional", "yolo"},
        {"convolutional,batchnorm", "batch norm"},
        {"convolutional,batchnorm", "two heads"},
        {"batchnorm", "batchnorm layer"},
        {"connected,batchnorm", "dense"},
        {"connected,batchnorm", "classifier"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_true(error_with_stock(wrong[i].stock, wrong[i].name) > 5 * tolerance);
    /* One that is right in the host as well. */
    assert_true(error_with_stock("all", "plain") < tolerance);
}

int main(int argc, char **argv) {
    seed_random(37);
    if (argc == 2)
        return tell_error(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_exact),
        cmocka_unit_test(the_hosts_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
