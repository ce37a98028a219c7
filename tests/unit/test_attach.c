/* What attaching repairs in a network that the host has parsed. */
#include <malloc.h>

#include "small_network.h"

/* Local and crnn layers get scratch of their own size, not what convolutions happen to need. */
static void scratch_fits_layers_that_the_host_forgets(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
    } nets[] = {
        {"[net]\nbatch=1\nwidth=16\nheight=16\nchannels=3\n"
         "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=leaky\n[maxpool]\nsize=2\nstride="
         "2\n"
         "[local]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n[cost]\n",
         8 * 8 * 9 * 8 * sizeof(float)},
        {"[net]\nbatch=1\nwidth=16\nheight=16\nchannels=3\n"
         "[crnn]\nhidden_filters=4\noutput_filters=4\nactivation=leaky\n[cost]\n",
         16 * 16 * 9 * 4 * sizeof(float)},
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; ++i) {
        network *net = parse_text(nets[i].text);
        assert_true(malloc_usable_size(net->workspace) >= nets[i].bytes);
        seed_random(41);
        random_pixels(net);
        assert_non_null(network_predict(net, net->input));
        train_network_datum(net);
        free_network(net);
    }
}

/* The host's [batchnorm] lacks buffers; those that only its own functions write are not made. */
static void batchnorm_layers_run(void **state) {
    (void)state;
    network *net = parse_text("[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\n"
                              "[convolutional]\nfilters=4\nsize=3\nactivation=leaky\n"
                              "[batchnorm]\n[cost]\n");
    const layer *l = &net->layers[1];
    assert_true(l->mean_delta && l->variance_delta);
    assert_true(!l->x && !l->x_norm);
    seed_random(42);
    random_pixels(net);
    for (int i = 0; i < 3; ++i)
        assert_true(isfinite(train_network_datum(net)));
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scratch_fits_layers_that_the_host_forgets),
        cmocka_unit_test(batchnorm_layers_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
