/* Our connected and [batchnorm] layers against the host's own, on random shapes. */
#include "layer_subject.h"

#include "primitives/batchnorm_layer.h"
#include "primitives/connected_layer.h"

/* The same parameters for both, as in the middle of a training. */
static void randomise_batchnorm(subject *s, int channels) {
    layer *h = &s->host.l, *o = &s->ours.l;
    for (int i = 0; i < channels; i++) {
        h->scales[i] = .5f + (float)random_unit();
        h->biases[i] = random_normal();
        h->rolling_mean[i] = random_normal();
        h->rolling_variance[i] = .5f + (float)random_unit();
    }
    copy(o->scales, h->scales, (size_t)channels);
    copy(o->biases, h->biases, (size_t)channels);
    copy(o->rolling_mean, h->rolling_mean, (size_t)channels);
    copy(o->rolling_variance, h->rolling_variance, (size_t)channels);
}

/* One forward each: a second one would move the rolling statistics once more. */
static void check_batchnorm(subject *s, int channels, double tolerance) {
    check_forward(s, false);
    s->host_forward(s->host.l, network_of(s, &s->host, true));
    s->forward(s->ours.l, network_of(s, &s->ours, true));
    const size_t n = (size_t)channels;
    const layer *h = &s->host.l, *o = &s->ours.l;
    assert_near(s, "training output", o->output, h->output, s->outputs, s->tolerance);
    assert_near(s, "mean", o->mean, h->mean, n, 1e-5);
    assert_near(s, "variance", o->variance, h->variance, n, 1e-5);
    assert_near(s, "rolling_mean", o->rolling_mean, h->rolling_mean, n, 1e-6);
    assert_near(s, "rolling_variance", o->rolling_variance, h->rolling_variance, n, 1e-6);
    check_backward(s, tolerance);
    free_subject(s);
}

/* The host's gradient has N for N - 1 and another epsilon: enough values that it hardly matters. */
static void batchnorm(void **state) {
    (void)state;
    layer (*make)(int, int, int, int) = host_function("make_batchnorm_layer");
    for (int i = 0; i < 20; i++) {
        const int batch = random_int(1, 3), w = random_int(25, 40), h = random_int(25, 40);
        const int c = random_int(1, 9);
        subject s = {.host.l = make(batch, w, h, c),
                     .ours.l = make(batch, w, h, c),
                     .forward = gdrq_forward_batchnorm_layer,
                     .backward = gdrq_backward_batchnorm_layer,
                     .host_overwrites = true,
                     .tolerance = 1e-5};
        layer *layers[] = {&s.host.l, &s.ours.l};
        for (int k = 0; k < 2; k++) {
            layers[k]->x = zeros((size_t)(batch * w * h * c));
            layers[k]->x_norm = zeros((size_t)(batch * w * h * c));
            layers[k]->mean_delta = zeros((size_t)c);
            layers[k]->variance_delta = zeros((size_t)c);
        }
        randomise_batchnorm(&s, c);
        complete(&s, w * h * c, "batchnorm");
        check_batchnorm(&s, c, 5. / (batch * w * h));
    }
}

static subject make_connected(int batch, int inputs, int outputs, ACTIVATION a, bool normalise) {
    layer (*make)(int, int, int, ACTIVATION, int, int) = host_function("make_connected_layer");
    subject s = {.host.l = make(batch, inputs, outputs, a, normalise, 0),
                 .ours.l = make(batch, inputs, outputs, a, normalise, 0),
                 .forward = gdrq_forward_connected_layer,
                 .backward = gdrq_backward_connected_layer,
                 .tolerance = 2e-5};
    const size_t weights = (size_t)inputs * (size_t)outputs;
    for (size_t i = 0; i < weights; i++) {
        s.host.l.weights[i] = random_normal() / sqrtf((float)inputs);
        s.host.l.weight_updates[i] = random_normal();
    }
    for (int i = 0; i < outputs; i++) {
        s.host.l.biases[i] = s.ours.l.biases[i] = random_normal();
        s.host.l.bias_updates[i] = s.ours.l.bias_updates[i] = random_normal();
    }
    copy(s.ours.l.weights, s.host.l.weights, weights);
    copy(s.ours.l.weight_updates, s.host.l.weight_updates, weights);
    complete(&s, inputs, "connected");
    return s;
}

static void connected(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        subject s = make_connected(random_int(1, 3), random_int(1, 700), random_int(1, 700),
                                   random_activation(), false);
        check_forward(&s, false);
        /* Updates are added to: one backward each. */
        float *delta = random_array(s.outputs, 1);
        copy(s.host.l.delta, delta, s.outputs);
        copy(s.ours.l.delta, delta, s.outputs);
        s.host_backward(s.host.l, network_of(&s, &s.host, true));
        s.backward(s.ours.l, network_of(&s, &s.ours, true));
        const layer *h = &s.host.l, *o = &s.ours.l;
        const size_t outputs = (size_t)h->outputs;
        assert_near(&s, "delta", o->delta, h->delta, s.outputs, 1e-6);
        assert_near(&s, "net.delta", s.ours.delta, s.host.delta, s.inputs, 2e-5);
        assert_near(&s, "bias_updates", o->bias_updates, h->bias_updates, outputs, 1e-6);
        assert_near(&s, "weight_updates", o->weight_updates, h->weight_updates,
                    outputs * (size_t)h->inputs, 1e-6);
        check_backward(&s, 4e-5);
        free(delta);
        free_subject(&s);
    }
}

/* The gradients of the parameters are the same for any number of threads as well. */
static void connected_updates_of_any_threads(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    subject s = make_connected(3, 517, 389, LEAKY, false);
    const size_t weights = 517 * 389;
    float *first = zeros(weights), *delta = random_array(s.outputs, 1);
    for (int threads = 1; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        copy(s.ours.l.delta, delta, s.outputs);
        memset(s.ours.l.weight_updates, 0, weights * sizeof(float));
        s.forward(s.ours.l, network_of(&s, &s.ours, true));
        s.backward(s.ours.l, network_of(&s, &s.ours, true));
        if (threads == 1)
            copy(first, s.ours.l.weight_updates, weights);
        assert_memory_equal(first, s.ours.l.weight_updates, weights * sizeof *first);
    }
    omp_set_num_threads(before);
    free(first);
    free(delta);
    free_subject(&s);
}

static void connected_with_batch_norm(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        const int outputs = random_int(1, 150);
        /* Enough inputs that no sum varies so little that the host's epsilon matters. */
        subject s = make_connected(1000, random_int(20, 60), outputs, random_activation(), true);
        randomise_batchnorm(&s, outputs);
        free(s.ours.l.x_norm); /* not used */
        s.ours.l.x_norm = NULL;
        check_batchnorm(&s, outputs, 5e-3);
    }
}

int main(void) {
    /* The host's connected layer calls batch norm by a name that is ours, too. */
    setenv("GDRQ_STOCK", "batchnorm", 1);
    seed_random(36);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batchnorm),
        cmocka_unit_test(connected),
        cmocka_unit_test(connected_updates_of_any_threads),
        cmocka_unit_test(connected_with_batch_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
