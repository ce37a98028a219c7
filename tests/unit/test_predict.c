/* network_predict() against the host's own. */
#include "small_network.h"

#include <dlfcn.h>
#include <math.h>

#include "primitives/predict.h"

static const char *const detector =
    "[net]\nbatch=2\nwidth=32\nheight=32\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
    "[convolutional]\nfilters=8\nsize=1\nactivation=leaky\n"
    "[shortcut]\nfrom=-2\nactivation=linear\n"
    "[upsample]\nstride=2\n"
    "[route]\nlayers=-1\n"
    "[dropout]\nprobability=.5\n"
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    "[yolo]\nmask=0,1\nanchors=4,4, 16,16\nclasses=2\nnum=2\n";

static const char *const classifier = "[net]\nbatch=2\nwidth=9\nheight=9\nchannels=3\n"
                                      "[convolutional]\nfilters=8\nsize=3\nactivation=leaky\n"
                                      "[connected]\noutput=20\nactivation=relu\n"
                                      "[softmax]\n";

static const char *const without_cost = "[net]\nbatch=1\nwidth=9\nheight=9\nchannels=3\n"
                                        "[convolutional]\nfilters=8\nsize=3\nactivation=leaky\n";

static void check(const char *cfg) {
    void *symbol = dlsym(RTLD_NEXT, "network_predict");
    float *(*host_predict)(network *, float *);
    assert_non_null(symbol);
    *(void **)&host_predict = symbol;

    network *net = parse_text(cfg);
    randomise(net);
    const size_t n = (size_t)net->outputs * (size_t)net->batch;
    float *input = random_array((size_t)net->inputs * (size_t)net->batch, 1);
    float *expected = malloc(n * sizeof *expected);
    assert_non_null(expected);
    assert_ptr_equal(host_predict(net, input), net->output);
    memcpy(expected, net->output, n * sizeof *expected);
    const float cost = *net->cost;

    const network before = *net;
    memset(net->output, 0, n * sizeof *expected);
    *net->cost = -1;
    for (int i = 0; i < net->n; i++)
        net->layers[i].delta[0] = 7;
    assert_ptr_equal(gdrq_network_predict(net, input), net->output);
    assert_memory_equal(net->output, expected, n * sizeof *expected);
    assert_memory_equal(net, &before, sizeof before);
    assert_true(*net->cost == cost || (isnan(cost) && isnan(*net->cost)));
    /* Gradients are left alone. */
    for (int i = 0; i < net->n; i++)
        assert_true(net->layers[i].delta[0] == 7);
    free(expected);
    free(input);
    free_network(net);
}

static void same_as_the_host(void **state) {
    (void)state;
    check(detector);
    check(classifier);
    check(without_cost);
}

int main(void) {
    seed_random(34);
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_the_host)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
