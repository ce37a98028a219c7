/* The mean of weights as it is measured and saved: with statistics of batch norm of its own. */
#include "image/picture.h"
#include "network_numbers.h"
#include "small_network.h"
#include "train/mean_view.h"
#include "train/stop.h"

#include <signal.h>
#include <unistd.h>

enum { IMAGES = 10, BATCH = 2, SIDE = 8, CHANNELS = 5, SEED = 11 };

static const char cfg_text[] = "[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\nema=0.9\n"
                               "ema_images=%d\n"
                               "[gdrq_convolutional]\nbatch_normalize=1\nfilters=5\nsize=3\npad=1\n"
                               "activation=linear\n"
                               "[batchnorm]\n"
                               "[connected]\noutput=3\nactivation=linear\n[softmax]\n";

/* The picture does not matter: samples are noise. */
static gdrq_status make_sample(const void *user, random_stream *random, int image, const picture *p,
                               const loader_sample *sample, gdrq_error *err) {
    (void)user, (void)image, (void)p, (void)err;
    for (int i = 0; i < 3 * sample->w * sample->h; i++)
        sample->codes[i] = (unsigned char)random_below(random, 256);
    return GDRQ_OK;
}

static char picture_path[] = "/tmp/gdrq-test-mean-XXXXXX.png";
static char *const paths[] = {picture_path};

static int make_picture(void **state) {
    (void)state;
    const unsigned char black[3] = {0, 0, 0};
    picture p;
    const int file = mkstemps(picture_path, 4);
    if (file < 0 || close(file) != 0 || picture_make(4, 4, black, &p, NULL) != GDRQ_OK)
        return 1;
    const gdrq_status saved = picture_save(&p, picture_path, NULL);
    picture_free(&p);
    return saved != GDRQ_OK;
}

static int remove_picture(void **state) {
    (void)state;
    return unlink(picture_path);
}

static loader_options options_of(const network *net) {
    return (loader_options){.paths = paths,
                            .n_images = 1,
                            .make = make_sample,
                            .truths = net->truths,
                            .seed = SEED,
                            .threads = 2};
}

/* A network, the mean of some others that it was, and the view of it. */
typedef struct subject {
    network *net;
    ema mean;
    mean_view view;
    gdrq_error err;
} subject;

/* `path`: of the picture that samples are made of. */
static void open_subject(subject *s, int images, char *const *path) {
    char text[500];
    snprintf(text, sizeof text, cfg_text, images);
    s->net = parse_text(text);
    assert_int_equal(gdrq_network_ema_images(s->net), images);
    randomise(s->net);
    assert_int_equal(ema_start(&s->mean, s->net, .9, &s->err), GDRQ_OK);
    for (int i = 0; i < 5; i++) {
        randomise(s->net);
        ema_step(&s->mean, s->net, 1);
    }
    loader_options options = options_of(s->net);
    options.paths = path;
    assert_int_equal(mean_view_open(&s->view, &s->mean, s->net, &options, &s->err), GDRQ_OK);
}

static void close_subject(subject *s) {
    mean_view_close(&s->view);
    ema_free(&s->mean);
    free_network(s->net);
}

static float *copy_of_mean(const ema *mean) {
    float *copy = malloc(mean->n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, mean->mean, mean->n * sizeof *copy);
    return copy;
}

/* Sums over the batch, per channel of the first layer's output and of its square. */
static void add_sums(const network *net, double *sums, double *squares) {
    const float *y = net->layers[0].output;
    for (int b = 0; b < BATCH; b++)
        for (int c = 0; c < CHANNELS; c++)
            for (int k = 0; k < SIDE * SIDE; k++, y++) {
                sums[c] += *y;
                squares[c] += (double)*y * *y;
            }
}

/* Over all images the first layer, which is linear, gives beta on average, and gamma^2 about it. */
static void check_statistics(network *net) {
    loader_options options = options_of(net);
    options.seed = ~options.seed;
    loader *samples;
    gdrq_error err;
    double sums[CHANNELS] = {0}, squares[CHANNELS] = {0};
    assert_int_equal(loader_open(&options, &samples, &err), GDRQ_OK);
    for (int first = 0; first < IMAGES; first += BATCH) {
        const loader_batch *batch;
        assert_int_equal(loader_request(samples, (uint64_t)first, BATCH, SIDE, SIDE, &err),
                         GDRQ_OK);
        assert_int_equal(loader_take(samples, &batch, &err), GDRQ_OK);
        for (int i = 0; i < net->inputs * BATCH; i++)
            net->input[i] = (float)batch->codes[i] / 255.f;
        network_predict(net, net->input);
        add_sums(net, sums, squares);
    }
    loader_close(samples);
    const layer *first = &net->layers[0];
    for (int c = 0; c < CHANNELS; c++) {
        const double n = IMAGES * SIDE * SIDE, mean = sums[c] / n;
        const double variance = (squares[c] - n * mean * mean) / (n - 1);
        assert_float_equal(mean, first->biases[c], 1e-4);
        assert_float_equal(variance, first->scales[c] * first->scales[c], 1e-3 * variance);
    }
}

static void a_shown_mean_has_statistics_of_its_own(void **state) {
    (void)state;
    seed_random(401);
    subject s;
    open_subject(&s, IMAGES, paths);
    numbers raw = numbers_of(s.net, GDRQ_ARRAYS_WEIGHTS);
    float *before = copy_of_mean(&s.mean);
    /* Twice is as once: what was measured has no part in the mean. */
    numbers shown[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mean_view_show(&s.view, s.net, false, &s.err), GDRQ_OK);
        check_statistics(s.net);
        shown[i] = numbers_of(s.net, GDRQ_ARRAYS_WEIGHTS);
        mean_view_hide(&s.view, s.net);
        numbers again = numbers_of(s.net, GDRQ_ARRAYS_WEIGHTS);
        assert_memory_equal(again.values, raw.values, raw.n * sizeof(float));
        assert_memory_equal(s.mean.mean, before, s.mean.n * sizeof(float));
        free(again.values);
    }
    assert_memory_equal(shown[0].values, shown[1].values, shown[0].n * sizeof(float));
    /* When the mean has moved, they are measured anew. */
    ema_step(&s.mean, s.net, 1);
    assert_int_equal(mean_view_show(&s.view, s.net, false, &s.err), GDRQ_OK);
    check_statistics(s.net);
    mean_view_hide(&s.view, s.net);
    /* Of all else, it is the mean: two layers with a mean and a variance per channel. */
    size_t differing = 0;
    for (size_t i = 0; i < s.mean.n; i++)
        differing += shown[0].values[i] != before[i];
    assert_int_equal(differing, 2 * 2 * CHANNELS);
    free(shown[0].values), free(shown[1].values), free(raw.values), free(before);
    close_subject(&s);
}

static void without_images_statistics_are_a_mean_as_well(void **state) {
    (void)state;
    seed_random(402);
    subject s;
    open_subject(&s, 0, paths);
    float *before = copy_of_mean(&s.mean);
    assert_int_equal(mean_view_show(&s.view, s.net, true, &s.err), GDRQ_OK);
    numbers shown = numbers_of(s.net, GDRQ_ARRAYS_WEIGHTS);
    assert_memory_equal(shown.values, before, s.mean.n * sizeof(float));
    mean_view_hide(&s.view, s.net);
    free(shown.values), free(before);
    close_subject(&s);
}

/* An image that can't be read leaves the network as it was. */
static void a_failure_hides_the_mean(void **state) {
    (void)state;
    seed_random(403);
    char *const missing[] = {"/nonexistent/picture.png"};
    subject s;
    open_subject(&s, IMAGES, missing);
    numbers raw = numbers_of(s.net, GDRQ_ARRAYS_WEIGHTS);
    assert_int_not_equal(mean_view_show(&s.view, s.net, false, &s.err), GDRQ_OK);
    assert_non_null(strstr(s.err.message, "/nonexistent/picture.png"));
    numbers after = numbers_of(s.net, GDRQ_ARRAYS_WEIGHTS);
    assert_memory_equal(after.values, raw.values, raw.n * sizeof(float));
    free(raw.values), free(after.values);
    close_subject(&s);
}

/* The last test: the signal stays. What is stopped half-way is made up for from the start. */
static void a_stop_signal_ends_what_may_be_stopped(void **state) {
    (void)state;
    seed_random(404);
    subject s;
    open_subject(&s, IMAGES, paths);
    stop_watch();
    raise(SIGTERM);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mean_view_show(&s.view, s.net, true, &s.err), GDRQ_ERROR_STATE);
        assert_int_equal(mean_view_show(&s.view, s.net, false, &s.err), GDRQ_OK);
        check_statistics(s.net);
        mean_view_hide(&s.view, s.net);
        ema_step(&s.mean, s.net, 1);
    }
    close_subject(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shown_mean_has_statistics_of_its_own),
        cmocka_unit_test(without_images_statistics_are_a_mean_as_well),
        cmocka_unit_test(a_failure_hides_the_mean),
        cmocka_unit_test(a_stop_signal_ends_what_may_be_stopped),
    };
    return cmocka_run_group_tests(tests, make_picture, remove_picture);
}
