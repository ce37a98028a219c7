/* GDRQ_STOCK: what its names leave to the host. This program runs itself with other values. */
#include "small_network.h"

#include <dlfcn.h>
#include <sys/wait.h>

#include "primitives/avgpool_layer.h"
#include "primitives/connected_layer.h"
#include "primitives/convolutional_layer.h"
#include "primitives/replacements.h"
#include "primitives/update.h"

static const char *const cfg = "[net]\nbatch=1\nwidth=9\nheight=9\nchannels=3\n"
                               "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\n"
                               "activation=leaky\n"
                               "[maxpool]\nsize=2\nstride=2\n"
                               "[avgpool]\n"
                               "[connected]\noutput=4\nactivation=linear\n"
                               "[softmax]\n";

static const char *const batchnorm_cfg =
    "[net]\nbatch=2\nwidth=9\nheight=9\nchannels=3\n"
    "[convolutional]\nactivation=linear\n[batchnorm]\n[cost]\n";

static void lists(void **state) {
    (void)state;
    unsigned stock = 77;
    assert_int_equal(gdrq_replacements_parse(NULL, &stock, NULL), GDRQ_OK);
    assert_int_equal(stock, 0);
    assert_int_equal(gdrq_replacements_parse("", &stock, NULL), GDRQ_OK);
    assert_int_equal(stock, 0);
    assert_int_equal(gdrq_replacements_parse("gemm", &stock, NULL), GDRQ_OK);
    assert_int_equal(stock, 1u << GDRQ_REPLACES_GEMM);
    assert_int_equal(gdrq_replacements_parse("yolo,update,yolo", &stock, NULL), GDRQ_OK);
    assert_int_equal(stock, 1u << GDRQ_REPLACES_YOLO | 1u << GDRQ_REPLACES_UPDATE);
    assert_int_equal(gdrq_replacements_parse("blas,all", &stock, NULL), GDRQ_OK);
    assert_int_equal(stock, (1u << GDRQ_REPLACEMENTS) - 1);
}

static void unknown_names(void **state) {
    (void)state;
    const char *const bad[] = {"gem", "gemm,", ",gemm", "gemm,,blas", "gemmy", "Gemm", " gemm"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned stock = 77;
        gdrq_error err = {{0}};
        assert_int_equal(gdrq_replacements_parse(bad[i], &stock, &err), GDRQ_ERROR_ARGUMENT);
        assert_int_equal(stock, 0);
        assert_non_null(strstr(err.message, "convolutional, connected, "));
        assert_non_null(strstr(err.message, "predict, nms, all"));
    }
    gdrq_error err = {{0}};
    unsigned stock;
    gdrq_replacements_parse("update,warp", &stock, &err);
    assert_non_null(strstr(err.message, "GDRQ_STOCK: \"warp\" is no replacement"));
}

static bool is_hosts(void (*function)(layer, network)) {
    Dl_info info;
    return dladdr(*(void **)&function, &info) && strstr(info.dli_fname, "libdarknet");
}

/* In a process of its own with GDRQ_STOCK=connected,avgpool,update. */
static int some_are_stock(void) {
    network *net = parse_text(cfg);
    const layer *l = net->layers;
    int good = l[0].forward == gdrq_forward_convolutional_layer && !l[0].x_norm;
    good &= l[0].update != gdrq_update_convolutional_layer;
    good &= l[2].forward != gdrq_forward_avgpool_layer && is_hosts(l[2].forward);
    good &= l[3].forward != gdrq_forward_connected_layer;
    free_network(net);
    return good ? 0 : 1;
}

/* The host's [batchnorm] needs what ours does not. */
static bool batchnorm_runs(void) {
    network *net = parse_text(batchnorm_cfg);
    const bool complete = net->layers[1].x && net->layers[1].x_norm;
    random_pixels(net);
    const bool runs = complete && isfinite(train_network_datum(net));
    free_network(net);
    return runs;
}

/* With GDRQ_STOCK=all: not one of ours, and the network still runs. */
static int all_are_stock(void) {
    network *net = parse_text(cfg);
    int good = net->layers[0].x_norm != NULL;
    for (int i = 0; i < GDRQ_REPLACEMENTS; i++)
        good &= !gdrq_replaces((gdrq_replacement)i);
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        /* These are hooks, which call the host's. */
        good &= l->type == CONNECTED || l->type == CONVOLUTIONAL || is_hosts(l->forward);
        good &= l->forward != gdrq_forward_convolutional_layer;
    }
    random_pixels(net);
    net->truth[1] = 1;
    train_network_datum(net);
    network_predict(net, net->input);
    free_network(net);
    good &= batchnorm_runs();
    return good ? 0 : 1;
}

/* With an unknown name: no network, and the hooks that need none still run ours. */
static int none_with_an_error(void) {
    const gdrq_error err = parse_bad_text(cfg);
    return strstr(err.message, "GDRQ_STOCK: \"warp\"") && gdrq_replaces(GDRQ_REPLACES_GEMM) ? 0 : 1;
}

/* This program with another environment: the variable is read once per process. */
static int run_self(const char *part, const char *value) {
    char self[4096] = "", command[8192];
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, "GDRQ_STOCK=%s '%s' %s > /dev/null", value, self, part);
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void environment(void **state) {
    (void)state;
    assert_int_equal(run_self("some", "connected,avgpool,update"), 0);
    assert_int_equal(run_self("all", "all"), 0);
    assert_int_equal(run_self("error", "update,warp"), 0);
    /* The parts are no matter of course. */
    assert_int_equal(run_self("some", ""), 1);
    assert_int_equal(run_self("all", "update"), 1);
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "some"))
        return some_are_stock();
    if (argc == 2 && !strcmp(argv[1], "all"))
        return all_are_stock();
    if (argc == 2 && !strcmp(argv[1], "error"))
        return none_with_an_error();
    seed_random(35);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
