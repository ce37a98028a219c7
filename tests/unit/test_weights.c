/* Weights files: round trips, the trailer, backbones, and files that must be refused untouched. */
#include <dlfcn.h>
#include <sys/stat.h>

#include "host/network_state.h"
#include "small_network.h"

static const char NET[] =
    "[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\nthreshold=scale\n"
    "[gdrq_convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\nbatch_normalize=1\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[gdrq_convolutional]\nfilters=6\nsize=1\nactivation=relu\n"
    "[gdrq_convolutional]\nfilters=2\nsize=1\nactivation=linear\n"
    "[connected]\noutput=5\nactivation=linear\nbatch_normalize=1\n[cost]\n";

static const size_t BODY = 20 + 4 * (4 * 4 + 4 * 27 + 6 + 24 + 2 + 12 + 5 + 5 * 32 + 3 * 5);

static network *trained(uint64_t seed) {
    network *net = parse_text(NET);
    seed_random(seed);
    randomise(net);
    layer *c = &net->layers[4];
    for (int i = 0; i < c->inputs * c->outputs; ++i)
        c->weights[i] = random_normal();
    random_pixels(net);
    net->train = 1;
    forward_network(net);
    *net->seen = 12345678901;
    return net;
}

static char *read_all(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *bytes = malloc(1 << 20);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static char *saved(network *net, size_t *n, char **path) {
    gdrq_error err = {{0}};
    *path = temporary_file("old", 3);
    if (gdrq_network_save(net, *path, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    return read_all(*path, n);
}

static void assert_same_layers(const network *a, const network *b) {
    for (int i = 0; i < a->n; ++i) {
        const layer *l = &a->layers[i], *m = &b->layers[i];
        if (l->type != CONVOLUTIONAL && l->type != CONNECTED)
            continue;
        const size_t n =
            l->type == CONVOLUTIONAL ? (size_t)l->nweights : (size_t)l->inputs * (size_t)l->outputs;
        const size_t filters = (size_t)(l->type == CONVOLUTIONAL ? l->n : l->outputs);
        assert_memory_equal(l->weights, m->weights, n * sizeof(float));
        assert_memory_equal(l->biases, m->biases, filters * sizeof(float));
        if (l->batch_normalize) {
            assert_memory_equal(l->scales, m->scales, filters * sizeof(float));
            assert_memory_equal(l->rolling_mean, m->rolling_mean, filters * sizeof(float));
            assert_memory_equal(l->rolling_variance, m->rolling_variance, filters * sizeof(float));
        }
    }
}

static void round_trip_keeps_everything(void **state) {
    (void)state;
    network *net = trained(21), *other = trained(22);
    gdrq_network_state *s = gdrq_network_state_find(net);
    s->training.iteration = 777;
    size_t n;
    char *path, *bytes = saved(net, &n, &path);
    assert_int_equal(n, BODY + 20 + 3 * 20 + 8);
    gdrq_load_report report;
    gdrq_error err;
    assert_int_equal(gdrq_network_load(other, path, false, &report, &err), GDRQ_OK);
    assert_true(report.complete && report.has_thresholds);
    assert_int_equal(report.layers, net->n);
    assert_same_layers(net, other);
    assert_true(*other->seen == 12345678901);
    const gdrq_network_state *t = gdrq_network_state_find(other);
    assert_int_equal(t->training.iteration, 777);
    assert_int_equal(t->tensors.n, 3);
    for (int i = 0; i < t->tensors.n; ++i) {
        assert_true(t->tensors.classes[i].threshold == s->tensors.classes[i].threshold);
        assert_int_equal(t->tensors.classes[i].moves, s->tensors.classes[i].moves);
    }
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0600, 0600);
    discard(path);
    free(bytes);
    free_network(net);
    free_network(other);
}

/* What must be refused leaves the network as it was. */
static void refused(const void *bytes, size_t n, bool allow_backbone, const char *part) {
    network *net = trained(23), *same = trained(23);
    char *path = temporary_file(bytes, n);
    gdrq_error err = {{0}};
    assert_int_not_equal(gdrq_network_load(net, path, allow_backbone, NULL, &err), GDRQ_OK);
    if (!strstr(err.message, part) || !strstr(err.message, path))
        fail_msg("\"%s\" should name the file and \"%s\"", err.message, part);
    assert_same_layers(net, same);
    assert_true(*net->seen == *same->seen);
    discard(path);
    free_network(net);
    free_network(same);
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    network *net = trained(24);
    size_t n;
    char *path, *bytes = saved(net, &n, &path), text[64];
    snprintf(text, sizeof text, "takes %zu: the file ends inside layer 0", BODY);
    refused(bytes, 100, true, text);
    snprintf(text, sizeof text, "1000 bytes, but this network takes %zu", BODY);
    refused(bytes, 1000, true, text);
    refused(bytes, 1000, true, "inside layer 4 [connected]");
    refused(bytes, BODY - 4, true, "inside layer 4 [connected]");
    refused(bytes, 0, true, "too short");
    refused(bytes, 20, true, "holds no layers");
    refused(bytes, BODY + 8, false, "belongs to another cfg");
    refused(bytes, n - 1, false, "damaged");
    bytes[BODY / 2] ^= 4;
    refused(bytes, n, false, "checksum");
    bytes[BODY / 2] ^= 4;
    bytes[BODY + 17] = 100;
    refused(bytes, n, false, "trailer");
    discard(path);
    free(bytes);
    free_network(net);
    network *fresh = parse_text(NET);
    gdrq_error err;
    assert_int_equal(gdrq_network_load(fresh, "/nonexistent.weights", true, NULL, &err),
                     GDRQ_ERROR_IO);
    assert_int_equal(gdrq_network_load(fresh, "/tmp", true, NULL, &err), GDRQ_ERROR_IO);
    free_network(fresh);
}

/* A file that ends exactly behind a layer: for training only, and it sets no thresholds. */
static void backbones_are_for_training(void **state) {
    (void)state;
    network *net = trained(25), *other = parse_text(NET);
    size_t n;
    char *path, *bytes = saved(net, &n, &path);
    const size_t two = 20 + 4 * (16 + 108 + 6 + 24);
    refused(bytes, two, false, "backbone");
    char *part = temporary_file(bytes, two);
    gdrq_load_report report;
    gdrq_error err;
    assert_int_equal(gdrq_network_load(other, part, true, &report, &err), GDRQ_OK);
    assert_int_equal(report.layers, 3);
    assert_false(report.complete || report.has_thresholds);
    assert_memory_equal(net->layers[2].weights, other->layers[2].weights, 24 * sizeof(float));
    assert_int_equal(gdrq_network_ready(other, &err), GDRQ_ERROR_STATE);
    /* The host's own way to write one gives no trailer. */
    save_weights_upto(net, part, 3);
    free(bytes);
    bytes = read_all(part, &n);
    assert_int_equal(n, two);
    discard(path);
    discard(part);
    free(bytes);
    free_network(net);
    free_network(other);
}

/* Early versions: 32-bit count of images; above 1000: connected weights transposed. */
static void old_headers_are_read(void **state) {
    (void)state;
    network *net = trained(26), *other = parse_text(NET);
    size_t n;
    char *path, *bytes = saved(net, &n, &path);
    char *old = malloc(BODY);
    const int header[4] = {0, 1, 0, 4242};
    memcpy(old, header, 16);
    memcpy(old + 16, bytes + 20, BODY - 20);
    char *name = temporary_file(old, BODY - 4);
    gdrq_error err;
    assert_int_equal(gdrq_network_load(other, name, false, NULL, &err), GDRQ_OK);
    assert_true(*other->seen == 4242);
    assert_same_layers(net, other);
    const int transposed[4] = {2000, 0, 0, 7};
    memcpy(old, transposed, 16);
    discard(name);
    name = temporary_file(old, BODY - 4);
    assert_int_equal(gdrq_network_load(other, name, false, NULL, &err), GDRQ_OK);
    const layer *a = &net->layers[4], *b = &other->layers[4];
    for (int i = 0; i < a->inputs; ++i)
        for (int o = 0; o < a->outputs; ++o)
            assert_true(b->weights[o * a->inputs + i] == a->weights[i * a->outputs + o]);
    discard(name);
    discard(path);
    free(bytes);
    free(old);
    free_network(net);
    free_network(other);
}

#define CONNECTED_NET(kind)                                                                  \
    "[net]\nbatch=2\nwidth=4\nheight=3\nchannels=3\nthreshold=scale\n[" kind "]\noutput=7\n" \
    "activation=leaky\nbatch_normalize=1\n[" kind "]\noutput=5\nactivation=linear\n"         \
    "[cost]\n"

/* The host's own loader and writer and ours understand each other, quantised layers or not. */
static void stock_darknet_shares_connected_weights(void **state) {
    (void)state;
    void (*host_load)(network *, char *, int, int) = dlsym(RTLD_NEXT, "load_weights_upto");
    void (*host_save)(network *, char *, int) = dlsym(RTLD_NEXT, "save_weights_upto");
    assert_true(host_load && host_save);
    network *net = parse_text(CONNECTED_NET("gdrq_connected"));
    network *stock = parse_text(CONNECTED_NET("connected"));
    seed_random(30);
    randomise(net);
    random_pixels(net);
    net->train = 1;
    forward_network(net);
    size_t n;
    char *path, *bytes = saved(net, &n, &path);
    const size_t body = 20 + 4 * (7 * 4 + 7 * 36 + 5 + 5 * 7);
    assert_int_equal(n, body + 20 + 2 * 20 + 8);
    host_load(stock, path, 0, stock->n);
    assert_same_layers(net, stock);
    /* What the host writes has no thresholds. */
    randomise(stock);
    host_save(stock, path, stock->n);
    gdrq_load_report report;
    gdrq_error err;
    assert_int_equal(gdrq_network_load(net, path, false, &report, &err), GDRQ_OK);
    assert_true(report.complete && !report.has_thresholds);
    assert_same_layers(net, stock);
    /* Early versions stored the weights the other way round. */
    const int transposed[4] = {2000, 0, 0, 7};
    memcpy(bytes + 4, transposed, 16);
    char *old = temporary_file(bytes + 4, body - 4);
    host_load(stock, old, 0, stock->n);
    assert_int_equal(gdrq_network_load(net, old, false, NULL, &err), GDRQ_OK);
    assert_same_layers(net, stock);
    float second;
    memcpy(&second, bytes + 20 + 4 * (7 + 1), sizeof second);
    assert_true(net->layers[0].weights[36] == second);
    discard(old);
    discard(path);
    free(bytes);
    free_network(net);
    free_network(stock);
}

/* A save that fails leaves the file that was there. */
static void failed_saves_lose_nothing(void **state) {
    (void)state;
    network *net = trained(27);
    gdrq_error err = {{0}};
    assert_int_equal(gdrq_network_save(net, "/dev/full", &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "/dev/full"));
    assert_non_null(strstr(err.message, "No space left"));
    assert_int_equal(gdrq_network_save(net, "/nonexistent/x.weights", &err), GDRQ_ERROR_IO);
    char *path = temporary_file("good", 4);
    net->layers[2].weights[3] = NAN;
    assert_int_equal(gdrq_network_save(net, path, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "layer 2"));
    size_t n;
    char *bytes = read_all(path, &n);
    assert_int_equal(n, 4);
    discard(path);
    free(bytes);
    free_network(net);
}

/* Thresholds belong to the weights that they came with, and training goes on where it was. */
static void a_load_replaces_thresholds_and_iteration(void **state) {
    (void)state;
    network *net = trained(29);
    gdrq_network_state *s = gdrq_network_state_find(net);
    for (int i = 0; i < 5; ++i)
        train_network_datum(net);
    assert_int_equal(s->training.iteration, 5);
    size_t n;
    char *path, *bytes = saved(net, &n, &path);
    char *plain = temporary_file(bytes, BODY);
    gdrq_load_report report;
    gdrq_error err;
    assert_int_equal(gdrq_network_load(net, plain, false, &report, &err), GDRQ_OK);
    assert_true(report.complete && !report.has_thresholds);
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_ERROR_STATE);
    assert_int_equal(s->training.iteration, 0);
    assert_int_equal(gdrq_network_load(net, path, false, &report, &err), GDRQ_OK);
    assert_true(report.has_thresholds);
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
    random_pixels(net);
    train_network_datum(net);
    assert_int_equal(s->training.iteration, 6);
    gdrq_network_restart(net);
    train_network_datum(net);
    assert_int_equal(s->training.iteration, 1);
    discard(path);
    discard(plain);
    free(bytes);
    free_network(net);
}

static network *with_k(int k) {
    char text[1024];
    snprintf(text, sizeof text, "[net]\nk_activations=%d\n%s", k, strchr(NET, '\n') + 1);
    return parse_text(text);
}

static const gdrq_running_threshold *second_tensor(network *net) {
    return &gdrq_network_state_find(net)->tensors.classes[1];
}

/* T is proportional to k: another k in the cfg scales the stored threshold. */
static void thresholds_follow_k(void **state) {
    (void)state;
    network *net = trained(28);
    size_t n;
    char *path, *bytes = saved(net, &n, &path);
    network *other = with_k(12);
    gdrq_error err;
    assert_int_equal(gdrq_network_load(other, path, false, NULL, &err), GDRQ_OK);
    const gdrq_running_threshold *a = second_tensor(net), *b = second_tensor(other);
    assert_float_equal(b->threshold, a->threshold * 12 / a->k, 1e-5);
    discard(path);
    free(bytes);
    free_network(net);
    free_network(other);
}

/* Where the cfg says no k, that of the training stays, whatever the usual one is by now. */
static void without_a_k_that_of_the_weights_counts(void **state) {
    (void)state;
    network *net = with_k(6), *other = parse_text(NET), *fresh = parse_text(NET);
    randomise(net);
    random_pixels(net);
    net->train = 1;
    forward_network(net);
    size_t n;
    char *path, *bytes = saved(net, &n, &path), *plain = temporary_file(bytes, BODY);
    gdrq_error err;
    assert_int_equal(gdrq_network_load(other, path, false, NULL, &err), GDRQ_OK);
    const gdrq_running_threshold *a = second_tensor(net), *b = second_tensor(other),
                                 *usual = second_tensor(fresh);
    assert_true(a->k == 6 && usual->k != 6);
    assert_true(b->k == 6 && b->threshold == a->threshold && a->threshold > 0);
    /* Of weights without thresholds it is the usual one again. */
    assert_int_equal(gdrq_network_load(other, plain, false, NULL, &err), GDRQ_OK);
    assert_true(b->k == usual->k && b->threshold == 0);
    discard(path);
    discard(plain);
    free(bytes);
    free_network(net);
    free_network(other);
    free_network(fresh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_k_that_of_the_weights_counts),
        cmocka_unit_test(round_trip_keeps_everything),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(backbones_are_for_training),
        cmocka_unit_test(old_headers_are_read),
        cmocka_unit_test(stock_darknet_shares_connected_weights),
        cmocka_unit_test(failed_saves_lose_nothing),
        cmocka_unit_test(a_load_replaces_thresholds_and_iteration),
        cmocka_unit_test(thresholds_follow_k),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
