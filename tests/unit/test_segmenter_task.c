/*
 * What the demo of segmenters does with a frame: the classes of its own pixels, which stay the
 * result's, shares, colours and JSON; and from the second frame on it allocates nothing.
 */
#include "count_allocations.h"
#include "fold_test.h"
#include "temporary_folder.h"

#include "demo/task.h"
#include "segment.h"

#include <math.h>

enum { NET_W = 48, NET_H = 32, CLASSES = 3, MOST_W = 90, MOST_H = 70 };

static const char *const cfg_text =
    "[net]\nbatch=2\nwidth=48\nheight=32\nchannels=3\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=relu\n"
    "weight_bits=8\n"
    "[gdrq_convolutional]\nfilters=3\nsize=3\npad=1\nactivation=linear\n"
    "[segmentation]\nclasses=3\n";
static const char *const names[] = {"sky", "a \"road\"", "tree"};
static const unsigned char rgb[][3] = {{0, 10, 255}, {128, 64, 1}, {16, 200, 0}};

static fold_pair pair;

static int make_files(void **state) {
    if (enter_folder(state))
        return 1;
    seed_random(911);
    write_text("s.names", "sky\na \"road\"\ntree\n");
    write_text("s.palette", "0 10 255\n128 64 1\n16 200 0\n");
    write_text("s.data", "classes=3\nnames=s.names\npalette=s.palette\n");
    return !make_pair(&pair, cfg_text);
}

static int remove_files(void **state) {
    free_pair(&pair);
    return leave_folder(state);
}

static demo_task *open_task(bool folded, float opacity) {
    demo_task *task;
    gdrq_error err = {""};
    must_be_ok(segmenter_task_open("s.data", folded ? pair.out_cfg : pair.cfg,
                                   folded ? pair.out_weights : pair.weights, opacity, &task, &err),
               &err);
    assert_int_equal(task->w, NET_W);
    assert_int_equal(task->h, NET_H);
    return task;
}

/* A frame, other with each number. */
static gdrq_pixels make_frame(int number, int w, int h) {
    static unsigned char bytes[3 * MOST_W * MOST_H];
    for (int i = 0; i < 3 * w * h; i++)
        bytes[i] = (unsigned char)(i / 40 * (number + 3) + i % 11 * number);
    return (gdrq_pixels){bytes, w, h, 3 * (size_t)w, GDRQ_BGR};
}

static gdrq_pixels fit(const gdrq_pixels *frame) {
    static unsigned char fitted[3 * NET_W * NET_H];
    gdrq_error err = {""};
    must_be_ok(gdrq_letterbox_pixels(frame, NET_W, NET_H, fitted, &err), &err);
    return (gdrq_pixels){fitted, NET_W, NET_H, 3 * NET_W, GDRQ_RGB};
}

/* As the pipeline does it. */
static void infer(demo_task *task, const gdrq_pixels *frame, demo_result *result) {
    const gdrq_pixels fitted = fit(frame);
    count_anew();
    double seconds = -1;
    gdrq_error err = {""};
    must_be_ok(task->infer(task, &fitted, frame->w, frame->h, (demo_thresholds){0}, result,
                           &seconds, &err),
               &err);
    assert_true(seconds >= 0);
}

static void check_shares(const demo_result *r, const unsigned char *classes, size_t n) {
    size_t counts[CLASSES] = {0};
    int occurring = 0;
    for (size_t i = 0; i < n; i++)
        counts[classes[i]]++;
    assert_int_equal(r->shares.pixels, n);
    for (int k = 0; k < CLASSES; k++) {
        assert_int_equal(r->shares.of_class[k], counts[k]);
        occurring += counts[k] > 0;
    }
    assert_true(occurring > 1);
}

/* Opaque, so that the colours are the palette's. */
static void check_drawing(demo_task *task, const demo_result *r, const unsigned char *classes,
                          int w, int h) {
    picture p;
    gdrq_error err = {""};
    must_be_ok(picture_make(w, h, (const unsigned char[]){1, 2, 3}, &p, &err), &err);
    must_be_ok(task->draw(task, r, &p, &err), &err);
    for (int i = 0; i < w * h; i++)
        for (int c = 0; c < 3; c++)
            assert_int_equal(p.data[3 * i + c], rgb[classes[i]][2 - c]);
    picture_free(&p);
}

static void check_json(demo_task *task, const demo_result *r) {
    char expected[1000] = "\"classes\":[", *text;
    size_t size;
    for (int k = 0; k < CLASSES; k++)
        if (r->shares.of_class[k])
            snprintf(expected + strlen(expected), sizeof expected - strlen(expected),
                     "%s{\"class_id\":%d, \"name\":\"%s\", \"colour\":\"#%02x%02x%02x\", "
                     "\"share\":%f}",
                     strchr(expected, '{') ? "," : "", k, k == 1 ? "a \\\"road\\\"" : names[k],
                     rgb[k][0], rgb[k][1], rgb[k][2],
                     (double)r->shares.of_class[k] / (double)r->shares.pixels);
    strcat(expected, "]");
    FILE *out = open_memstream(&text, &size);
    task->put_json(task, r, 1, 1, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

/* The second frame is smaller, and does not touch the first one's result. */
static void check_frames(bool folded) {
    static const int sizes[][2] = {{MOST_W, MOST_H}, {31, 57}};
    static unsigned char classes[2][MOST_W * MOST_H];
    demo_task *task = open_task(folded, 1);
    demo_result results[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        const gdrq_pixels frame = make_frame(i, sizes[i][0], sizes[i][1]);
        gdrq_error err = {""};
        must_be_ok(gdrq_network_segment(folded ? pair.folded : pair.trained, &frame, classes[i],
                                        NULL, &err),
                   &err);
        infer(task, &frame, &results[i]);
    }
    for (int i = 0; i < 2; i++) {
        const int w = sizes[i][0], h = sizes[i][1];
        assert_memory_equal(results[i].pixels, classes[i], (size_t)(w * h));
        check_shares(&results[i], classes[i], (size_t)(w * h));
        check_drawing(task, &results[i], classes[i], w, h);
        check_json(task, &results[i]);
        demo_result_free(&results[i]);
    }
    task->free(task);
}

static void results_are_those_of_the_whole_picture(void **state) {
    (void)state;
    check_frames(false);
    check_frames(true);
}

static void frames_allocate_nothing(void **state) {
    (void)state;
    demo_task *task = open_task(true, .5f);
    demo_result results[2] = {{0}};
    picture p;
    gdrq_error err = {""};
    must_be_ok(picture_make(MOST_W, MOST_H, (const unsigned char[]){1, 2, 3}, &p, &err), &err);
    for (int i = 0; i < 8; i++) {
        const gdrq_pixels frame = make_frame(i, i < 4 ? MOST_W : MOST_W - 7 * i, MOST_H);
        demo_result *r = &results[i % 2];
        p.w = frame.w;
        infer(task, &frame, r);
        must_be_ok(task->draw(task, r, &p, &err), &err);
        if (i >= 2)
            assert_nothing_counted();
        else
            assert_true(allocations > 0);
    }
    picture_free(&p);
    demo_result_free(&results[0]);
    demo_result_free(&results[1]);
    task->free(task);
}

static void scores_must_be_finite(void **state) {
    (void)state;
    static unsigned char classes[MOST_W * MOST_H];
    const gdrq_pixels frame = make_frame(1, MOST_W, MOST_H), fitted = fit(&frame);
    gdrq_error err = {""};
    float *bias = &pair.trained->layers[1].biases[1];
    const float before = *bias;
    *bias = NAN;
    expect(segment_fitted(pair.trained, &fitted, MOST_W, MOST_H, classes, NULL, &err),
           GDRQ_ERROR_STATE, &err, "output for this picture is not finite");
    *bias = before;
    must_be_ok(segment_fitted(pair.trained, &fitted, MOST_W, MOST_H, classes, NULL, &err), &err);
}

static void what_is_no_segmenter_is_no_task(void **state) {
    (void)state;
    demo_task *task;
    gdrq_error err = {""};
    write_text("four.data", "classes=4\n");
    expect(segmenter_task_open("four.data", pair.cfg, pair.weights, 1, &task, &err),
           GDRQ_ERROR_FORMAT, &err, "has classes=4");
    assert_null(task);
    expect(segmenter_task_open("s.data", pair.cfg, "s.names", 1, &task, &err), GDRQ_ERROR_FORMAT,
           &err, "s.names");
    assert_null(task);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_the_whole_picture),
        cmocka_unit_test(frames_allocate_nothing),
        cmocka_unit_test(scores_must_be_finite),
        cmocka_unit_test(what_is_no_segmenter_is_no_task),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
