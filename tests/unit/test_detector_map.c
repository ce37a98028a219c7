/* Measuring a network in the middle of its training, and detecting with the mirrored image. */
#include "detect.h"
#include "eval/detector_map.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "small_network.h"

enum { IMAGES = 3, CLASSES = 2, W = 60, H = 44 };

static const char cfg_text[] = "[net]\nbatch=4\nwidth=%d\nheight=32\nchannels=3\n"
                               "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\n"
                               "pad=1\nactivation=leaky\n"
                               "[convolutional]\nfilters=14\nsize=3\nstride=2\npad=1\n"
                               "activation=linear\n"
                               "%s";
static const char yolo_text[] =
    "[yolo]\nmask=0,1\nanchors=10,10, 20,20\nclasses=2\nnum=2\nmax=30\n";
static const char region_text[] = "[region]\nanchors=1,1, 2,2\nclasses=2\ncoords=4\nnum=2\n"
                                  "softmax=1\n";

static char folder[64];
static char names[IMAGES][128];
static char *paths[IMAGES];

static picture random_picture(int w, int h) {
    picture p;
    const unsigned char black[3] = {0, 0, 0};
    assert_int_equal(picture_make(w, h, black, &p, NULL), GDRQ_OK);
    for (int i = 0; i < 3 * w * h; i++)
        p.data[i] = (unsigned char)random_int(0, 255);
    return p;
}

static int make_images(void **state) {
    (void)state;
    strcpy(folder, "/tmp/gdrq-test-map-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    for (int i = 0; i < IMAGES; i++) {
        picture p = random_picture(W, H);
        paths[i] = names[i];
        snprintf(names[i], sizeof names[i], "%s/%d.png", folder, i);
        const gdrq_status status = picture_save(&p, names[i], NULL);
        picture_free(&p);
        if (status != GDRQ_OK)
            return 1;
    }
    return 0;
}

static int remove_images(void **state) {
    (void)state;
    for (int i = 0; i < IMAGES; i++)
        unlink(names[i]);
    return rmdir(folder);
}

static network *make_network(int width, const char *head) {
    char text[1024];
    snprintf(text, sizeof text, cfg_text, width, head);
    network *net = parse_text(text);
    randomise(net);
    return net;
}

/* The best box of each image, as its one object. */
static void label_with_best(network *net, label_list *lists, label *labels) {
    for (int i = 0; i < IMAGES; i++) {
        picture p;
        detections found = {0};
        assert_int_equal(picture_load(paths[i], &p, NULL), GDRQ_OK);
        assert_int_equal(detect_picture(net, &p, .005f, .5f, &found, NULL), GDRQ_OK);
        float best = 0;
        for (int d = 0; d < found.n; d++)
            for (int k = 0; k < CLASSES; k++)
                if (found.at[d].prob[k] > best && detection_is_finite(&found.at[d])) {
                    const box b = found.at[d].bbox;
                    const float left = fmaxf(b.x - b.w / 2, 0), right = fminf(b.x + b.w / 2, 1);
                    const float top = fmaxf(b.y - b.h / 2, 0), bottom = fminf(b.y + b.h / 2, 1);
                    if (right <= left || bottom <= top)
                        continue;
                    best = found.at[d].prob[k];
                    labels[i] = (label){k, (left + right) / 2, (top + bottom) / 2, right - left,
                                        bottom - top};
                }
        assert_true(best > 0);
        lists[i] = (label_list){&labels[i], 1};
        detections_free(&found);
        picture_free(&p);
    }
}

typedef struct calls {
    int n, stop_after;
} calls;

static bool count_call(void *user, int done, int total) {
    calls *c = user;
    assert_int_equal(total, IMAGES);
    assert_int_equal(done, ++c->n);
    return c->n != c->stop_after;
}

/* Truths that are the network's own best boxes are all found, each ranking first in its image. */
static void test_finds_its_own_boxes(void **state) {
    (void)state;
    network *net = make_network(32, yolo_text);
    label labels[IMAGES];
    label_list lists[IMAGES];
    label_with_best(net, lists, labels);
    const labelled_images images = {.list = {.paths = paths, .n = IMAGES}, .labels = lists};
    const map_options options = {.confidence = 0};
    map_result result;
    gdrq_error err;
    calls counted = {.stop_after = -1};
    if (detector_measure(net, &images, CLASSES, &options, count_call, &counted, &result, &err) !=
        GDRQ_OK)
        fail_msg("%s", err.message);
    assert_int_equal(counted.n, IMAGES);
    assert_int_equal(result.n, CLASSES);
    assert_int_equal(result.total.truths, IMAGES);
    assert_int_equal(result.total.true_positives, IMAGES);
    assert_true(result.map50 > 0 && result.map50 <= 1);
    map_result_free(&result);
    free_network(net);
}

static void test_leaves_a_training_as_it_was(void **state) {
    (void)state;
    network *net = make_network(32, yolo_text);
    label labels[IMAGES];
    label_list lists[IMAGES];
    label_with_best(net, lists, labels);
    const labelled_images images = {.list = {.paths = paths, .n = IMAGES}, .labels = lists};
    net->train = 1;
    *net->seen = 1234;
    const network before = *net;
    const layer *first = &net->layers[0];
    float *weights = malloc((size_t)first->nweights * sizeof *weights);
    float *means = malloc((size_t)first->n * sizeof *means);
    memcpy(weights, first->weights, (size_t)first->nweights * sizeof *weights);
    memcpy(means, first->rolling_mean, (size_t)first->n * sizeof *means);
    map_result result;
    assert_int_equal(
        detector_measure(net, &images, CLASSES, &(map_options){0}, NULL, NULL, &result, NULL),
        GDRQ_OK);
    map_result_free(&result);
    assert_memory_equal(&before, net, sizeof before);
    assert_int_equal(net->batch, 4);
    for (int i = 0; i < net->n; i++)
        assert_int_equal(net->layers[i].batch, 4);
    assert_int_equal(*net->seen, 1234);
    assert_memory_equal(weights, first->weights, (size_t)first->nweights * sizeof *weights);
    assert_memory_equal(means, first->rolling_mean, (size_t)first->n * sizeof *means);
    free(weights);
    free(means);
    free_network(net);
}

static void test_errors(void **state) {
    (void)state;
    network *net = make_network(32, yolo_text);
    label one = {0, .5f, .5f, .1f, .1f};
    label_list lists[IMAGES] = {{&one, 1}};
    labelled_images images = {.list = {.paths = paths, .n = IMAGES}, .labels = lists};
    map_result result;
    gdrq_error err;
    calls counted = {.stop_after = 2};
    assert_int_equal(detector_measure(net, &images, CLASSES, &(map_options){0}, count_call,
                                      &counted, &result, &err),
                     GDRQ_ERROR_STATE);
    assert_int_equal(counted.n, 2);
    char *missing[] = {"missing.png"};
    images.list = (image_list){.paths = missing, .n = 1};
    assert_int_equal(
        detector_measure(net, &images, CLASSES, &(map_options){0}, NULL, NULL, &result, &err),
        GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "missing.png"));
    lists[0].n = 0;
    assert_int_equal(
        detector_measure(net, &images, CLASSES, &(map_options){0}, NULL, NULL, &result, &err),
        GDRQ_ERROR_FORMAT);
    assert_null(result.classes);
    free_network(net);
}

static void mirror_picture(const picture *p, picture *out) {
    const unsigned char black[3] = {0, 0, 0};
    assert_int_equal(picture_make(p->w, p->h, black, out, NULL), GDRQ_OK);
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++)
            memcpy(out->data + 3 * ((size_t)y * p->w + x),
                   p->data + 3 * ((size_t)y * p->w + (p->w - 1 - x)), 3);
}

/* Whether `found` has a box at the mirrored place of d, with its size and scores. */
static bool has_mirrored(const detections *found, const detection *d) {
    for (int i = 0; i < found->n; i++) {
        const detection *m = &found->at[i];
        bool same = fabsf(m->bbox.x - (1 - d->bbox.x)) < 1e-4f &&
                    fabsf(m->bbox.y - d->bbox.y) < 1e-4f && fabsf(m->bbox.w - d->bbox.w) < 1e-4f &&
                    fabsf(m->bbox.h - d->bbox.h) < 1e-4f;
        for (int k = 0; k < CLASSES; k++)
            same &= fabsf(m->prob[k] - d->prob[k]) < 1e-4f;
        if (same)
            return true;
    }
    return false;
}

/* Averaged with its mirror image, a picture's boxes are those of the mirrored picture, mirrored:
 * at even and odd numbers of cells. Without averaging a random network's are not. */
static void check_symmetry(int width, const char *head) {
    network *net = make_network(width, head);
    picture p = random_picture(width, 32), mirrored;
    mirror_picture(&p, &mirrored);
    for (int flip = 0; flip < 2; flip++) {
        const detect_options options = {.boxes = {.thresh = .05f, .hier = .5f, .nms = 1},
                                        .flip = flip};
        detections a = {0}, b = {0};
        assert_int_equal(detect_with(net, &p, &options, &a, NULL), GDRQ_OK);
        assert_int_equal(detect_with(net, &mirrored, &options, &b, NULL), GDRQ_OK);
        int boxes = 0, symmetric = 0;
        for (int i = 0; i < a.n; i++) {
            boxes += a.at[i].objectness > 0;
            symmetric += a.at[i].objectness > 0 && has_mirrored(&b, &a.at[i]);
        }
        print_message("width %d, flip %d: %d of %d boxes\n", width, flip, symmetric, boxes);
        assert_true(boxes > 4);
        assert_true(flip ? symmetric == boxes : symmetric < boxes);
        assert_int_equal(net->batch, 4);
        detections_free(&a);
        detections_free(&b);
    }
    picture_free(&p);
    picture_free(&mirrored);
    free_network(net);
}

static void test_flip_makes_symmetric(void **state) {
    (void)state;
    check_symmetry(32, yolo_text);
    check_symmetry(28, yolo_text);
    check_symmetry(32, region_text);
    check_symmetry(28, region_text);
}

int main(void) {
    seed_random(20190801);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_its_own_boxes),
        cmocka_unit_test(test_leaves_a_training_as_it_was),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_flip_makes_symmetric),
    };
    return cmocka_run_group_tests(tests, make_images, remove_images);
}
