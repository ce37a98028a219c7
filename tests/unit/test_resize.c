/* resize_network: same results as a network parsed at that size; errors change nothing. */
#include <math.h>

#include "small_network.h"

/* Every layer type that can change its size; %d %d are width and height. */
static const char NET[] =
    "[net]\nbatch=2\nwidth=%d\nheight=%d\nchannels=3\n"
    "[gdrq_convolutional]\nfilters=8\nsize=3\npad=1\nactivation=leaky\nbatch_normalize=1\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\nbatch_normalize=1\n"
    "[dropout]\nprobability=.25\n"
    "[gdrq_convolutional]\nfilters=8\nsize=1\nactivation=leaky\n"
    "[shortcut]\nfrom=-3\nactivation=linear\n"
    "[upsample]\nstride=2\n[route]\nlayers=-1,1\n"
    "[reorg]\nstride=2\n[gdrq_convolutional]\nfilters=8\nsize=1\nactivation=leaky\n"
    "[shortcut]\nfrom=1\nactivation=linear\n"
    "[normalization]\n[activation]\nactivation=leaky\n"
    "[gdrq_convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    "[yolo]\nmask=0,1\nanchors=1,2,3,4\nclasses=2\nnum=2\n";

static network *net_of_size(int w, int h) {
    char text[4096];
    snprintf(text, sizeof text, NET, w, h);
    network *net = parse_text(text);
    seed_random(31);
    randomise(net);
    return net;
}

static void calibrate(network *net) {
    gdrq_network_calibrating(net, true);
    net->train = 0;
    for (int i = 0; i < net->inputs * net->batch; ++i)
        net->input[i] = (float)(i % 256) / 255.f;
    forward_network(net);
    gdrq_error err;
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
    gdrq_network_calibrating(net, false);
}

static void assert_same_outputs(network *a, network *b) {
    assert_int_equal(a->outputs, b->outputs);
    assert_int_equal(a->truths, b->truths);
    for (int i = 0; i < a->n; ++i) {
        const layer *l = &a->layers[i], *m = &b->layers[i];
        assert_int_equal(l->outputs, m->outputs);
        assert_int_equal(l->inputs, m->inputs);
        assert_int_equal(l->out_w, m->out_w);
        assert_int_equal(l->out_h, m->out_h);
        assert_int_equal(l->out_c, m->out_c);
        assert_int_equal(l->w, m->w);
        assert_int_equal(l->h, m->h);
        assert_memory_equal(l->output, m->output,
                            sizeof(float) * (size_t)l->outputs * (size_t)l->batch);
    }
}

static void equals_a_network_of_that_size(void **state) {
    (void)state;
    const int sizes[][2] = {{32, 32}, {64, 48}, {16, 80}, {32, 32}};
    network *net = net_of_size(32, 32);
    calibrate(net);
    char *path = temporary_file("", 0);
    gdrq_error err = {{0}};
    for (int i = 0; i < 4; ++i) {
        const int w = sizes[i][0], h = sizes[i][1];
        assert_int_equal(gdrq_network_save(net, path, &err), GDRQ_OK);
        network *fresh = net_of_size(w, h);
        assert_int_equal(gdrq_network_load(fresh, path, false, NULL, &err), GDRQ_OK);
        assert_int_equal(resize_network(net, w, h), 0);
        assert_int_equal(net->w, w);
        assert_int_equal(net->h, h);
        random_pixels(net);
        memcpy(fresh->input, net->input, sizeof(float) * (size_t)(net->inputs * net->batch));
        net->train = fresh->train = 0;
        forward_network(net);
        forward_network(fresh);
        assert_same_outputs(net, fresh);
        /* Training needs all buffers of the new size; memory checkers watch. */
        train_network_datum(net);
        free_network(fresh);
    }
    discard(path);
    free_network(net);
}

/* The host sizes by the batch of the moment and overruns when it goes up again. */
static void a_lowered_batch_can_rise_again(void **state) {
    (void)state;
    network *net = net_of_size(32, 32);
    calibrate(net);
    set_batch_network(net, 1);
    assert_int_equal(resize_network(net, 64, 64), 0);
    set_batch_network(net, 2);
    random_pixels(net);
    train_network_datum(net);
    free_network(net);
}

static void errors_change_nothing(void **state) {
    (void)state;
    network *net = net_of_size(32, 32);
    calibrate(net);
    float *before = net->output;
    const int bad[][2] = {{0, 32}, {-5, 32}, {70000, 32}, {33, 35}, {34, 32}, {65536, 65536}};
    gdrq_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        if (gdrq_network_resize(net, bad[i][0], bad[i][1], &err) == GDRQ_OK)
            fail_msg("%dx%d was accepted", bad[i][0], bad[i][1]);
        assert_non_null(strstr(err.message, "can't resize"));
        assert_int_equal(net->w, 32);
        assert_int_equal(net->h, 32);
        assert_ptr_equal(net->output, before);
    }
    train_network_datum(net);
    free_network(net);
}

static void connected_layers_hold_their_input(void **state) {
    (void)state;
    network *net = parse_text("[net]\nbatch=1\nwidth=8\nheight=8\nchannels=3\n"
                              "[convolutional]\nfilters=4\nsize=3\nactivation=relu\n"
                              "[connected]\noutput=3\nactivation=linear\n[softmax]\n");
    gdrq_error err;
    assert_int_equal(gdrq_network_resize(net, 16, 16, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "layer 1"));
    assert_int_equal(gdrq_network_resize(net, 8, 8, &err), GDRQ_OK);
    free_network(net);
    /* Behind a global average pool the input of a connected layer never changes. */
    net = parse_text("[net]\nbatch=1\nwidth=8\nheight=8\nchannels=3\n"
                     "[convolutional]\nfilters=4\nsize=3\nactivation=relu\n[avgpool]\n"
                     "[connected]\noutput=3\nactivation=linear\n[softmax]\n");
    assert_int_equal(gdrq_network_resize(net, 16, 12, &err), GDRQ_OK);
    random_pixels(net);
    train_network_datum(net);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_a_network_of_that_size),
        cmocka_unit_test(a_lowered_batch_can_rise_again),
        cmocka_unit_test(errors_change_nothing),
        cmocka_unit_test(connected_layers_hold_their_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
