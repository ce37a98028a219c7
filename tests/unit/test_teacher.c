/* Truth that is in part what another network makes of the images. */
#include "small_network.h"
#include "train/teacher.h"

enum { W = 6, H = 5, CODES = 3 * W * H, CLASSES = 4, IMAGES = 6 };

#define CLASSIFIER(batch, outputs, end)                                                    \
    "[net]\nbatch=" batch "\nwidth=6\nheight=5\nchannels=3\n"                              \
    "[convolutional]\nbatch_normalize=1\nfilters=5\nsize=3\nactivation=leaky\n[avgpool]\n" \
    "[connected]\noutput=" outputs "\nactivation=linear\n" end

static network *make(const char *text) {
    network *net = parse_text(text);
    randomise(net);
    return net;
}

/* Images of noise, and one class each. */
static loader_batch make_batch(void) {
    loader_batch b = {.n = IMAGES,
                      .w = W,
                      .h = H,
                      .codes = malloc((size_t)IMAGES * CODES),
                      .truth = calloc((size_t)IMAGES * CLASSES, sizeof(float))};
    assert_true(b.codes && b.truth);
    for (int i = 0; i < IMAGES * CODES; i++)
        b.codes[i] = (unsigned char)random_int(0, 255);
    for (int i = 0; i < IMAGES; i++)
        b.truth[i * CLASSES + random_int(0, CLASSES - 1)] = 1;
    return b;
}

static void free_batch(loader_batch *b) {
    free(b->codes);
    free(b->truth);
}

/* A teacher that takes 4 images at a time teaches 6: each gets what it gives for that image. */
static void truth_is_mixed(void **state) {
    (void)state;
    seed_random(501);
    network *net = make(CLASSIFIER("4", "4", "[softmax]\n"));
    network *alone = make(CLASSIFIER("1", "4", "[softmax]\n"));
    gdrq_error err;
    assert_int_equal(gdrq_network_copy(net, alone, &err), GDRQ_OK);
    loader_batch batch = make_batch();
    float before[IMAGES * CLASSES];
    memcpy(before, batch.truth, sizeof before);
    const teacher t = {net, "teacher.cfg", .7f, 2};
    assert_int_equal(teacher_prepare(&t, &alone, 1, IMAGES, &err), GDRQ_OK);
    assert_int_equal(net->batch, 3);
    assert_float_equal(alone->layers[alone->n - 1].temperature, 2, 0);
    assert_int_equal(teacher_teach(&t, &batch, CLASSES, &err), GDRQ_OK);
    for (int i = 0; i < IMAGES; i++) {
        float x[CODES];
        for (int k = 0; k < CODES; k++)
            x[k] = (float)batch.codes[i * CODES + k] / 255.f;
        const float *p = network_predict(alone, x);
        for (int c = 0; c < CLASSES; c++) {
            const int at = i * CLASSES + c;
            assert_float_equal(batch.truth[at], .3 * before[at] + .7 * p[c], 1e-6);
        }
    }
    free_batch(&batch);
    free_network(net);
    free_network(alone);
}

static void without_a_teacher_truth_stays(void **state) {
    (void)state;
    seed_random(502);
    network *student = make(CLASSIFIER("2", "4", "[softmax]\n"));
    loader_batch batch = make_batch();
    float before[IMAGES * CLASSES];
    memcpy(before, batch.truth, sizeof before);
    gdrq_error err;
    assert_int_equal(teacher_prepare(&(teacher){0}, &student, 1, IMAGES, &err), GDRQ_OK);
    assert_int_equal(teacher_teach(&(teacher){0}, &batch, CLASSES, &err), GDRQ_OK);
    assert_memory_equal(batch.truth, before, sizeof before);
    free_batch(&batch);
    free_network(student);
}

static void who_can_not_teach_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {{CLASSIFIER("2", "5", "[softmax]\n"),
                  "five.cfg can't teach: at 6 x 5 it has 5 outputs, and the network 4 classes"},
                 {CLASSIFIER("2", "4", "[logistic]\n"),
                  "five.cfg can't teach: its last section must be [softmax]"},
                 {"[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\n"
                  "size=8\nactivation=linear\n[softmax]\n",
                  "five.cfg can't teach at 6 x 5"},
                 {"[net]\nbatch=2\nwidth=3\nheight=3\nchannels=3\n[convolutional]\nfilters=4\n"
                  "size=3\nactivation=linear\n[softmax]\n",
                  "five.cfg can't teach: at 6 x 5 it has 48 outputs"}};
    network *student = make(CLASSIFIER("2", "4", "[softmax]\n"));
    for (int i = 0; i < 4; i++) {
        network *net = make(cases[i].text);
        gdrq_error err;
        const teacher t = {net, "five.cfg", .5f, 2};
        assert_int_equal(teacher_prepare(&t, &student, 1, IMAGES, &err), GDRQ_ERROR_FORMAT);
        assert_non_null(strstr(err.message, cases[i].message));
        free_network(net);
    }
    free_network(student);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truth_is_mixed),
        cmocka_unit_test(without_a_teacher_truth_stays),
        cmocka_unit_test(who_can_not_teach_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
