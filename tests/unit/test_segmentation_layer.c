/*
 * [segmentation]: loss, gradient and probabilities against double precision and finite
 * differences, void, class weights, threads, sizes; and the classes of a picture's pixels.
 */
#include "small_network.h"

#include "infer/argmax.h"
#include "primitives/segmentation_layer.h"
#include "thread_counts.h"

#include <float.h>

#include <math.h>
#include <omp.h>

enum { W = 37, H = 29, C = 5, BATCH = 3, PIXELS = W * H };

/* A layer by itself, with random scores and truths of which some are void. */
typedef struct subject {
    layer l;
    network net;
    float cost;
} subject;

static float *zeros(size_t n) {
    float *x = calloc(n, sizeof *x);
    assert_non_null(x);
    return x;
}

static subject make_subject(float spread) {
    subject s = {.l = {.type = SOFTMAX, .batch = BATCH, .w = W, .h = H, .c = C}};
    const size_t n = (size_t)BATCH * C * PIXELS;
    float *weights = zeros(C);
    for (int c = 0; c < C; c++)
        weights[c] = c == 3 ? 0 : .5f + (float)random_unit();
    s.l.inputs = s.l.outputs = C * PIXELS;
    s.l.output = zeros(n);
    s.l.delta = zeros(n);
    s.l.loss = zeros(n);
    gdrq_make_segmentation_layer(&s.l, weights);
    s.net.input = random_array(n, spread);
    s.net.delta = random_array(n, 1);
    s.net.truth = zeros((size_t)BATCH * PIXELS);
    for (int i = 0; i < BATCH * PIXELS; i++)
        s.net.truth[i] = (float)random_int(-1, C - 1);
    return s;
}

static void free_subject(subject *s) {
    free(s->l.output);
    free(s->l.delta);
    free(s->l.loss);
    free(s->l.scales);
    free(s->net.input);
    free(s->net.delta);
    free(s->net.truth);
}

static double forward(subject *s) {
    s->l.cost = &s->cost;
    s->l.forward(s->l, s->net);
    return s->cost;
}

/* The loss in double, and its negative gradient by the scores of image b. */
static double expected_loss(const subject *s, int b, double *gradient) {
    const float *x = s->net.input + (size_t)b * C * PIXELS;
    const float *truth = s->net.truth + (size_t)b * PIXELS;
    double loss = 0;
    int known = 0;
    for (int i = 0; i < PIXELS; i++)
        known += truth[i] >= 0 && truth[i] < C;
    for (int i = 0; i < PIXELS; i++) {
        double sum = 0;
        const bool is_void = truth[i] < 0 || truth[i] >= C;
        const int class_id = is_void ? 0 : (int)truth[i];
        for (int c = 0; c < C; c++)
            sum += exp((double)x[c * PIXELS + i]);
        const double weight = is_void ? 0 : (double)s->l.scales[class_id] / known;
        for (int c = 0; c < C; c++) {
            const double p = exp((double)x[c * PIXELS + i]) / sum;
            gradient[c * PIXELS + i] = weight * ((c == class_id) - p);
        }
        loss -= weight * log(exp((double)x[class_id * PIXELS + i]) / sum);
    }
    return loss;
}

static void agrees_with_double_precision(void **state) {
    static double gradient[C * PIXELS];
    (void)state;
    seed_random(1);
    subject s = make_subject(3);
    double loss = 0;
    const double cost = forward(&s);
    for (int b = 0; b < BATCH; b++) {
        loss += expected_loss(&s, b, gradient);
        for (int i = 0; i < C * PIXELS; i++)
            if (fabs(s.l.delta[b * C * PIXELS + i] - gradient[i]) >
                1e-6 * (fabs(gradient[i]) + 1e-3))
                fail_msg("image %d, [%d]: %.9g, not %.9g", b, i, s.l.delta[b * C * PIXELS + i],
                         gradient[i]);
        for (int i = 0; i < PIXELS; i++) {
            double sum = 0;
            for (int c = 0; c < C; c++)
                sum += s.l.output[(b * C + c) * PIXELS + i];
            assert_true(fabs(sum - 1) < 1e-5);
        }
    }
    assert_true(fabs(cost - loss) < 1e-5 * loss);
    free_subject(&s);
}

/* The layer's own loss, which is a float, by steps that make the rounding small. */
static void agrees_with_finite_differences(void **state) {
    const float step = .125f;
    (void)state;
    seed_random(2);
    subject s = make_subject(1);
    memset(s.net.delta, 0, (size_t)BATCH * C * PIXELS * sizeof *s.net.delta);
    for (int i = 0; i < PIXELS; i++) /* one image, of few known pixels: each of them matters */
        s.net.truth[i] = i % 40 ? -1 : (float)(i / 40 % C);
    s.l.batch = 1;
    forward(&s);
    s.l.backward(s.l, s.net);
    for (int i = 0; i < C * PIXELS; i += 8) {
        const float x = s.net.input[i], delta = s.net.delta[i];
        s.net.input[i] = x + step;
        const double above = forward(&s);
        s.net.input[i] = x - step;
        const double below = forward(&s);
        s.net.input[i] = x;
        const double slope = -(above - below) / (2 * step);
        if (fabs(slope - delta) > .02 * fabs(delta) + 1e-5)
            fail_msg("[%d]: %.9g, by differences %.9g", i, (double)delta, slope);
    }
    free_subject(&s);
}

static void void_has_neither_loss_nor_gradient(void **state) {
    const float void_truths[] = {-1, C, 255, NAN, INFINITY, -INFINITY};
    (void)state;
    seed_random(3);
    subject s = make_subject(2);
    for (int i = 0; i < BATCH * PIXELS; i++)
        s.net.truth[i] = void_truths[i % 6];
    assert_true(forward(&s) == 0);
    for (int i = 0; i < BATCH * C * PIXELS; i++)
        assert_true(s.l.delta[i] == 0);
    s.net.truth[7] = 3; /* the class that weighs nothing */
    assert_true(forward(&s) == 0);
    s.net.truth[7] = 2;
    assert_true(forward(&s) > 0);
    for (int i = 0; i < C * PIXELS; i++)
        assert_true((s.l.delta[i] != 0) == (i % PIXELS == 7));
    free_subject(&s);
}

/* Probabilities that leave the floats: the loss is still that of the scores. */
static void far_scores_give_no_infinite_loss(void **state) {
    (void)state;
    seed_random(4);
    subject s = make_subject(0);
    for (int i = 0; i < PIXELS; i++) {
        s.net.truth[i] = 0;
        s.net.input[PIXELS + i] = 1000;
    }
    s.l.batch = 1;
    s.l.scales[0] = 1;
    assert_true(fabs(forward(&s) - 1000) < 1e-2);
    free_subject(&s);
}

static void backward_adds(void **state) {
    (void)state;
    seed_random(5);
    subject s = make_subject(1);
    const size_t n = (size_t)BATCH * C * PIXELS;
    float *before = malloc(n * sizeof *before);
    memcpy(before, s.net.delta, n * sizeof *before);
    forward(&s);
    s.l.backward(s.l, s.net);
    for (size_t i = 0; i < n; i++)
        assert_true(s.net.delta[i] == before[i] + s.l.delta[i]);
    free(before);
    float *delta = s.net.delta;
    s.net.delta = NULL;
    s.l.backward(s.l, s.net);
    s.net.delta = delta;
    free_subject(&s);
}

static void threads_change_nothing(void **state) {
    const int before = omp_get_max_threads();
    const size_t n = (size_t)BATCH * C * PIXELS;
    float *first = malloc(n * sizeof *first);
    double cost = 0;
    (void)state;
    seed_random(6);
    subject s = make_subject(2);
    for (int i = 0; i < THREAD_COUNTS; i++) {
        omp_set_num_threads(thread_counts[i]);
        const double now = forward(&s);
        if (i == 0) {
            cost = now;
            memcpy(first, s.l.delta, n * sizeof *first);
        }
        assert_true(now == cost);
        assert_memory_equal(first, s.l.delta, n * sizeof *first);
    }
    omp_set_num_threads(before);
    free(first);
    free_subject(&s);
}

/* ---- in a network ---- */

#define INPUT "[net]\nbatch=4\nsubdivisions=2\nwidth=16\nheight=12\nchannels=3\n"
#define SCORES "[convolutional]\nfilters=4\nsize=3\nstride=1\npad=1\nactivation=linear\n"

static void sections_make_layers(void **state) {
    network *net = parse_text(INPUT SCORES "[segmentation]\nclasses=4\nclass_weights=1,.5,2,0\n");
    const layer *l = &net->layers[1];
    gdrq_error err;
    (void)state;
    assert_int_equal(gdrq_network_pixel_classes(net), 4);
    assert_int_equal(net->truths, 16 * 12);
    assert_int_equal(l->truths, 16 * 12);
    assert_true(l->scales[0] == 1 && l->scales[1] == .5f && l->scales[2] == 2 && l->scales[3] == 0);
    assert_int_equal(gdrq_network_trainable(net, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_resize(net, 32, 8, &err), GDRQ_OK);
    assert_int_equal(net->truths, 32 * 8);
    assert_int_equal(l->truths, 32 * 8);
    assert_true(l->w == 32 && l->h == 8);
    network_predict(net, net->input);
    free_network(net);
    net = parse_text(INPUT SCORES "[softmax]\n");
    assert_int_equal(gdrq_network_pixel_classes(net), 0);
    unsigned char classes[1];
    assert_int_equal(gdrq_network_classes(net, 1, 1, classes, &err), GDRQ_ERROR_ARGUMENT);
    free_network(net);
}

/* A picture's size, and where the letterbox puts it in 16x12. */
typedef struct fitted_picture {
    int w, h, part_w, part_h, x0, y0;
} fitted_picture;

static void check_classes(network *net, const fitted_picture *f) {
    static unsigned char data[3 * 60 * 60], classes[60 * 60], again[60 * 60];
    const gdrq_pixels image = {data, f->w, f->h, 3 * (size_t)f->w, GDRQ_BGR};
    gdrq_error err;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)random_int(0, 255);
    assert_int_equal(gdrq_network_segment(net, &image, classes, NULL, &err), GDRQ_OK);
    /* The whole network's probabilities. */
    assert_int_equal(gdrq_network_predict_pixels(net, &image, NULL, &err), GDRQ_OK);
    const float *p = net->layers[1].output;
    int counts[4] = {0};
    for (int y = 0; y < f->h; y++)
        for (int x = 0; x < f->w; x++) {
            const int column = f->x0 + (int)((x + .5) * f->part_w / f->w);
            const int row = f->y0 + (int)((y + .5) * f->part_h / f->h);
            const int found = classes[y * f->w + x];
            for (int c = 0; c < 4; c++)
                assert_true(p[(found * 12 + row) * 16 + column] >= p[(c * 12 + row) * 16 + column]);
            counts[found]++;
        }
    assert_true(counts[0] < f->w * f->h);
    assert_int_equal(gdrq_network_classes(net, f->w, f->h, again, &err), GDRQ_OK);
    assert_memory_equal(classes, again, (size_t)(f->w * f->h));
    /* Without room for classes it runs all the same. */
    memset(net->layers[0].output, 0, (size_t)net->layers[0].outputs * sizeof(float));
    assert_int_equal(gdrq_network_segment(net, &image, NULL, NULL, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_classes(net, f->w, f->h, again, &err), GDRQ_OK);
    assert_memory_equal(classes, again, (size_t)(f->w * f->h));
}

static void pixels_have_the_class_of_the_highest_score(void **state) {
    static const fitted_picture pictures[] = {{53, 41, 15, 12, 0, 0},
                                              {20, 41, 5, 12, 5, 0},
                                              {60, 13, 16, 3, 0, 4},
                                              {16, 12, 16, 12, 0, 0}};
    network *net = parse_text(INPUT SCORES "[segmentation]\nclasses=4\n");
    (void)state;
    seed_random(7);
    randomise(net);
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        check_classes(net, &pictures[i]);
    free_network(net);
}

static void argmax_takes_the_first_of_equals(void **state) {
    enum { SIDE_W = 67, SIDE_H = 41, CLASSES = 200 };
    const gdrq_tensor_shape shape = {SIDE_W, SIDE_H, CLASSES};
    const int n = SIDE_W * SIDE_H;
    float *scores = malloc(sizeof *scores * CLASSES * (size_t)n);
    uint8_t *classes = malloc((size_t)n);
    (void)state;
    seed_random(8);
    for (int i = 0; i < CLASSES * n; i++)
        scores[i] = (float)random_int(-20, 20);
    for (int c = 0; c < CLASSES; c++) {
        scores[c * n] = NAN;
        scores[c * n + 1] = -INFINITY;
    }
    scores[10 * n] = -5;
    assert_false(gdrq_argmax(shape, scores, classes));
    assert_int_equal(classes[0], 10);
    assert_int_equal(classes[1], 0);
    for (int i = 2; i < n; i++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (scores[c * n + i] > scores[best * n + i])
                best = c;
        assert_int_equal(classes[i], best);
    }
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < CLASSES * n; i++)
        scores[i] = isfinite(scores[i]) ? scores[i] : FLT_MAX;
    assert_true(gdrq_argmax(shape, scores, classes));
    for (int i = 0; i < 3; i++) {
        float *const any = &scores[random_int(0, CLASSES * n - 1)], was = *any;
        *any = odd[i];
        assert_false(gdrq_argmax(shape, scores, classes));
        *any = was;
    }
    free(scores);
    free(classes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_double_precision),
        cmocka_unit_test(agrees_with_finite_differences),
        cmocka_unit_test(void_has_neither_loss_nor_gradient),
        cmocka_unit_test(far_scores_give_no_infinite_loss),
        cmocka_unit_test(backward_adds),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(sections_make_layers),
        cmocka_unit_test(pixels_have_the_class_of_the_highest_score),
        cmocka_unit_test(argmax_takes_the_first_of_equals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
