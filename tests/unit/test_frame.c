/*
 * From the second picture on, a folded network allocates and locks nothing on the way from pixels
 * to boxes.
 */
#include "count_allocations.h"
#include "fold_test.h"

/* All kinds of integer layers, a part in floats, and two heads. */
static const char *const cfg_text =
    "[net]\nbatch=4\nwidth=64\nheight=48\nchannels=3\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=16\nsize=3\npad=1\nactivation=leaky\n"
    "weight_bits=8\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=64\nsize=3\npad=1\nactivation=leaky\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=64\ngroups=64\nsize=3\npad=1\n"
    "activation=leaky\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=64\nsize=3\npad=1\nactivation=leaky\n"
    "[gdrq_convolutional]\nsize=1\nfilters=21\nactivation=linear\nweight_bits=8\n"
    "[yolo]\nmask=0,1,2\nanchors=4,4, 16,16, 30,30\nclasses=2\nnum=3\n"
    "[route]\nlayers=5\n"
    "[dropout]\n"
    "[upsample]\nstride=2\n"
    "[route]\nlayers=-1,2\n"
    "[gdrq_convolutional]\nsize=1\nfilters=21\nactivation=logistic\n"
    "[shortcut]\nfrom=12\nactivation=linear\n"
    "[yolo]\nmask=0,1,2\nanchors=4,4, 16,16, 30,30\nclasses=2\nnum=3\n";

enum { W = 90, H = 70 };
static unsigned char bytes[W * H * 3];

/* A camera's pictures have one size, those of a list have many. */
static int process(network *net, int frame, gdrq_boxes *boxes) {
    const gdrq_box_options options = {.thresh = .005f, .nms = .45f, .nms_objectness = frame % 2};
    const gdrq_pixels image = {bytes, W - 9 * (frame % 3), H, 3 * W, GDRQ_BGR};
    detection *found;
    gdrq_error err = {""};
    int n;
    for (int i = 0; i < (int)sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * (7 + frame) ^ i >> 4);
    must_be_ok(gdrq_network_predict_pixels(net, &image, NULL, &err), &err);
    must_be_ok(gdrq_network_boxes(net, image.w, image.h, &options, boxes, &found, &n, &err), &err);
    return n;
}

static void check_frames(network *net) {
    gdrq_boxes *boxes = gdrq_boxes_new();
    assert_non_null(boxes);
    assert_true(process(net, 1, boxes) > 0);
    for (int frame = 2; frame <= 5; frame++) {
        count_anew();
        const int n = process(net, frame, boxes);
        printf("frame %d: %d boxes, %d allocations, %d frees, %d locks\n", frame, n, allocations,
               frees, locks);
        assert_true(n > 0);
        assert_nothing_counted();
    }
    gdrq_boxes_free(boxes);
}

static void frames_neither_allocate_nor_lock(void **state) {
    (void)state;
    fold_pair p;
    gdrq_error err;
    seed_random(611);
    assert_true(make_pair(&p, cfg_text));
    check_frames(p.folded);
    must_be_ok(gdrq_network_resize(p.folded, 96, 32, &err), &err);
    check_frames(p.folded);
    free_pair(&p);
}

/* Two networks that take turns each look theirs up; others that come and go disturb neither. */
static void a_network_is_found_whatever_else_changes(void **state) {
    (void)state;
    static const char *const text = "[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[cost]\n";
    network *const a = parse_text(text), *const b = parse_text(text);
    const gdrq_network_state *const state_a = gdrq_network_state_find(a);
    const gdrq_network_state *const state_b = gdrq_network_state_find(b);
    assert_ptr_equal(state_a->net, a);
    assert_ptr_equal(state_b->net, b);
    for (int i = 0; i < 20; i++) {
        network *const passing = parse_text(text);
        assert_ptr_equal(gdrq_network_state_find(passing)->net, passing);
        free_network(passing);
        assert_null(gdrq_network_state_find(passing));
        assert_ptr_equal(gdrq_network_state_find(a), state_a);
        assert_ptr_equal(gdrq_network_state_find(b), state_b);
    }
    free_network(a);
    free_network(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_neither_allocate_nor_lock),
        cmocka_unit_test(a_network_is_found_whatever_else_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
