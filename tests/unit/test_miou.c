/* A network that is measured on images with masks, and what ends that early. */
#include "small_network.h"
#include "temporary_folder.h"

#include "eval/miou.h"

#include <math.h>
#include <sys/stat.h>

enum { SCENE_W = 16, SCENE_H = 12 };

/* The class of a pixel is its strongest colour: red, green, blue. */
static network *colour_network(void) {
    network *net = parse_text("[net]\nbatch=2\nwidth=16\nheight=12\nchannels=3\n"
                              "[convolutional]\nfilters=3\nsize=1\nactivation=linear\n"
                              "[segmentation]\nclasses=3\n");
    for (int i = 0; i < 9; i++)
        net->layers[0].weights[i] = i % 4 == 0;
    memset(net->layers[0].biases, 0, 3 * sizeof(float));
    return net;
}

/* Left half red, right half blue; of 16 columns 4 are class 0, 8 class 2, and 4 void. */
static void write_scene(void) {
    const palette black = {.n = 256};
    index_picture mask;
    picture p;
    mkdir("images", 0777);
    mkdir("masks", 0777);
    assert_int_equal(picture_make(SCENE_W, SCENE_H, (unsigned char[3]){0, 0, 255}, &p, NULL),
                     GDRQ_OK);
    assert_int_equal(index_picture_make(SCENE_W, SCENE_H, &mask, NULL), GDRQ_OK);
    for (int i = 0; i < SCENE_W * SCENE_H; i++) {
        const int x = i % SCENE_W;
        if (x >= SCENE_W / 2)
            memcpy(p.data + 3 * i, (unsigned char[]){255, 0, 0}, 3);
        mask.at[i] = x < 4 ? 0 : x < 12 ? 2 : 9;
    }
    assert_int_equal(picture_save(&p, "images/scene.png", NULL), GDRQ_OK);
    assert_int_equal(picture_save(&p, "images/void.png", NULL), GDRQ_OK);
    assert_int_equal(index_png_save(&mask, &black, "masks/scene.png", NULL), GDRQ_OK);
    memset(mask.at, 9, (size_t)SCENE_W * SCENE_H);
    assert_int_equal(index_png_save(&mask, &black, "masks/void.png", NULL), GDRQ_OK);
    index_picture_free(&mask);
    picture_free(&p);
}

static bool stop_at_once(void *calls, int done, int total) {
    assert_int_equal(total, 2);
    assert_int_equal(done, ++*(int *)calls);
    return false;
}

static void networks_are_measured_pixel_by_pixel(void **state) {
    static char *paths[] = {"images/scene.png", "images/void.png"};
    const image_list both = {.paths = paths, .n = 2}, empty = {.paths = paths + 1, .n = 1};
    const mask_rules rules = {.classes = 3, .void_index = 9, .background = -1};
    confusion c;
    gdrq_error err = {""};
    int calls = 0;
    (void)state;
    write_scene();
    network *net = colour_network();
    if (miou_measure(net, &both, &rules, NULL, NULL, &c, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    assert_int_equal(confusion_at(&c, 0, 0), 4 * SCENE_H);
    assert_int_equal(confusion_at(&c, 2, 0), 4 * SCENE_H);
    assert_int_equal(confusion_at(&c, 2, 2), 4 * SCENE_H);
    assert_float_equal(confusion_iou(&c, 0), .5, 1e-12);
    assert_float_equal(confusion_mean_iou(&c), .5, 1e-12);
    assert_float_equal(confusion_pixel_accuracy(&c), 2. / 3, 1e-12);
    confusion_free(&c);
    assert_int_equal(net->batch, 2);
    assert_int_equal(miou_measure(net, &both, &rules, stop_at_once, &calls, &c, &err),
                     GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "stopped after 1 of 2 images"));
    assert_int_equal(miou_measure(net, &empty, &rules, NULL, NULL, &c, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "no pixel of the 1 images to measure on has a class"));
    net->layers[0].biases[1] = NAN;
    assert_int_equal(miou_measure(net, &both, &rules, NULL, NULL, &c, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "images/scene.png: the network's output for this picture"));
    assert_null(c.counts);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_measured_pixel_by_pixel),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
