/*
 * The demo's pipeline: order, drops, changes of size, failures, and closing in any state; with a
 * task that only looks at pixels, and with small networks.
 */
#include "base/status.h"
#include "demo/average.h"
#include "demo/pipeline.h"
#include "fold_test.h"
#include "seconds.h"

#include <stdatomic.h>

enum { W = 48, H = 32 };

typedef struct stub_task {
    demo_task base;
    double seconds; /* that infer takes */
    int fails_at;   /* the call that fails; 0: none */
    atomic_int calls;
    atomic_int forgotten;
} stub_task;

static void pass_time(double seconds) {
    const double until = seconds_now() + seconds;
    while (seconds_now() < until)
        usleep(200);
}

/* What is found is the first pixel of what was fitted in. */
static gdrq_status infer(demo_task *base, const gdrq_pixels *fitted, int frame_w, int frame_h,
                         demo_thresholds thresholds, demo_result *result, double *seconds,
                         gdrq_error *err) {
    stub_task *t = (stub_task *)base;
    float score = .9f;
    detection found = {.classes = 1, .prob = &score, .bbox = {.x = (float)frame_w, .w = 1, .h = 1}};
    assert_int_equal(fitted->w, W);
    assert_int_equal(fitted->h, H);
    found.bbox.y = (float)frame_h;
    *seconds = t->seconds;
    pass_time(t->seconds);
    if (++t->calls == t->fails_at)
        return gdrq_fail(err, GDRQ_ERROR_STATE, "the stub fails");
    return demo_result_keep_boxes(result, &found, 1, thresholds.thresh, err);
}

static void forget(demo_task *base) {
    ((stub_task *)base)->forgotten++;
}

static gdrq_status draw(demo_task *base, const demo_result *result, picture *p, gdrq_error *err) {
    (void)base, (void)result, (void)err;
    p->data[3] = 77;
    return GDRQ_OK;
}

static stub_task stub(double seconds) {
    return (stub_task){.base = {.w = W, .h = H, .infer = infer, .forget = forget, .draw = draw},
                       .seconds = seconds};
}

static camera *camera_of(const char *what) {
    const source_request request = {.what = what, .stall = 2};
    camera *c;
    gdrq_error err = {""};
    must_be_ok(camera_open(&request, &c, &err), &err);
    return c;
}

static atomic_bool encoding;

static bool wants_jpeg(void *user) {
    return atomic_load((atomic_bool *)user);
}

static pipeline *start(camera *c, demo_task *task, int skip) {
    const pipeline_setup setup = {.camera = c,
                                  .task = task,
                                  .skip = skip,
                                  .thresholds = {.5f, .5f},
                                  .wants_jpeg = wants_jpeg,
                                  .user = &encoding};
    pipeline *p;
    gdrq_error err = {""};
    must_be_ok(pipeline_start(&setup, &p, &err), &err);
    return p;
}

static frame *next(pipeline *p) {
    bool ended = false;
    frame *f = NULL;
    while (!f && !ended)
        f = pipeline_next(p, 1, &ended);
    return f;
}

static unsigned long number_in(const frame *f) {
    const unsigned char *d = f->image.picture.data;
    return (unsigned long)(d[0] | d[1] << 8 | d[2] << 16);
}

static void end(pipeline *p, camera *c) {
    gdrq_error err = {""};
    must_be_ok(pipeline_end(p, &err), &err);
    assert_true(camera_close(c));
}

static void a_file_keeps_every_frame_in_order(void **state) {
    (void)state;
    stub_task task = stub(.001);
    camera *c = camera_of("fake:size=64x48,fps=0,live=0,frames=200,resize_at=100");
    pipeline *p = start(c, &task.base, 0);
    unsigned long n = 0;
    for (frame *f; (f = next(p)); pipeline_give_back(p, f)) {
        assert_int_equal(f->number, ++n);
        assert_int_equal(number_in(f), n);
        assert_int_equal(f->image.picture.w, n <= 100 ? 64 : 320);
        assert_int_equal(f->result.n_boxes, 1);
        assert_int_equal((int)f->result.boxes[0].bbox.x, n <= 100 ? 64 : 320);
        assert_int_equal((int)f->result.boxes[0].bbox.y, n <= 100 ? 48 : 240);
        assert_true(f->captured <= f->done && f->times.infer >= .001);
        assert_false(f->drawn);
    }
    assert_int_equal(n, 200);
    assert_int_equal(pipeline_dropped(p), 0);
    assert_int_equal(task.forgotten, 2);
    end(p, c);
}

static void frames_can_be_left_out(void **state) {
    (void)state;
    stub_task task = stub(0);
    camera *c = camera_of("fake:size=64x48,fps=0,live=0,frames=20");
    pipeline *p = start(c, &task.base, 2);
    unsigned long n = 1;
    for (frame *f; (f = next(p)); pipeline_give_back(p, f), n += 3)
        assert_int_equal(f->number, n);
    assert_int_equal(n, 22);
    end(p, c);
}

/* A network of 20 ms and frames every 4: what is found is of frames that are hardly older. */
static void a_live_source_never_lags(void **state) {
    (void)state;
    stub_task task = stub(.020);
    camera *c = camera_of("fake:size=64x48,fps=250,frames=150");
    pipeline *p = start(c, &task.base, 0);
    unsigned long before = 0, results = 0;
    double worst = 0;
    for (frame *f; (f = next(p)); pipeline_give_back(p, f)) {
        assert_true(f->number > before);
        assert_int_equal(number_in(f), f->number);
        before = f->number;
        worst = fmax(worst, f->done - f->captured);
        results++;
    }
    printf("%lu results, %lu dropped, latency %.1f ms at most\n", results, pipeline_dropped(p),
           1e3 * worst);
    assert_true(results >= 3 && results <= 40);
    assert_int_equal(results + pipeline_dropped(p), 150);
    assert_true(worst < .5);
    end(p, c);
}

/* Whoever takes results slowly gets new ones, and their latency counts up to the taking. */
static void a_live_source_does_not_wait_for_slow_outputs(void **state) {
    (void)state;
    stub_task task = stub(.002);
    camera *c = camera_of("fake:size=64x48,fps=200,frames=120");
    pipeline *p = start(c, &task.base, 0);
    unsigned long results = 0;
    double worst = 0;
    for (frame *f; (f = next(p)); pipeline_give_back(p, f)) {
        assert_true(seconds_now() - f->done < .02);
        worst = fmax(worst, f->done - f->captured);
        results++;
        usleep(60000);
    }
    printf("%lu results, latency %.1f ms at most\n", results, 1e3 * worst);
    assert_true(results >= 5 && worst < .08);
    assert_int_equal(results + pipeline_dropped(p), 120);
    end(p, c);
}

/* A slow network reads them far apart: they are one scene all the same. */
static void frames_of_a_file_belong_together(void **state) {
    (void)state;
    stub_task task = stub(0);
    camera *c = camera_of("fake:size=64x48,fps=.9,live=0,frames=2");
    pipeline *p = start(c, &task.base, 0);
    for (frame *f; (f = next(p)); pipeline_give_back(p, f))
        ;
    assert_int_equal(task.calls, 2);
    assert_int_equal(task.forgotten, 1);
    end(p, c);
}

/* What waits for the network when it is told to stop is not worth waiting for. */
static void stopping_gives_the_network_no_more_work(void **state) {
    (void)state;
    stub_task task = stub(.05);
    camera *c = camera_of("fake:size=64x48,fps=0,live=0");
    pipeline *p = start(c, &task.base, 0);
    pipeline_give_back(p, next(p));
    usleep(20000);
    pipeline_stop(p);
    const int called = task.calls;
    unsigned long last = 1;
    for (frame *f; (f = next(p)); pipeline_give_back(p, f))
        last = f->number;
    assert_int_equal(last, task.calls);
    assert_true(task.calls <= called + 1);
    end(p, c);
}

static void a_camera_that_vanishes_comes_back(void **state) {
    (void)state;
    stub_task task = stub(0);
    camera *c = camera_of("fake:size=64x48,fps=500,frames=20,vanish_at=10,gone=.1");
    pipeline *p = start(c, &task.base, 0);
    unsigned long last = 0;
    for (frame *f; (f = next(p)); pipeline_give_back(p, f))
        last = f->number;
    assert_int_equal(last, 20);
    end(p, c);
}

static void drawing_and_thresholds_change_under_way(void **state) {
    (void)state;
    stub_task task = stub(.001);
    camera *c = camera_of("fake:size=64x48,fps=0,live=0");
    pipeline *p = start(c, &task.base, 0);
    bool drawn = false, encoded = false, empty = false;
    pipeline_want(p, true);
    for (int i = 0; i < 200 && !empty; i++) {
        frame *f = next(p);
        drawn |= f->drawn && f->image.picture.data[3] == 77;
        encoded |= f->jpeg.n > 100 && f->jpeg.data[0] == 0xff && f->jpeg.data[1] == 0xd8;
        empty |= f->result.n_boxes == 0;
        pipeline_give_back(p, f);
        if (drawn)
            pipeline_want(p, false);
        atomic_store(&encoding, drawn);
        if (encoded)
            pipeline_set_thresholds(p, (demo_thresholds){.95f, .5f});
    }
    assert_true(drawn && encoded && empty);
    atomic_store(&encoding, false);
    end(p, c);
}

static void a_stage_that_fails_ends_it_with_its_error(void **state) {
    (void)state;
    stub_task task = stub(0);
    task.fails_at = 5;
    camera *c = camera_of("fake:size=64x48,fps=0,live=0");
    pipeline *p = start(c, &task.base, 0);
    gdrq_error err = {""};
    int n = 0;
    for (frame *f; (f = next(p)); pipeline_give_back(p, f))
        n++;
    assert_int_equal(n, 4);
    assert_int_equal(pipeline_end(p, &err), GDRQ_ERROR_STATE);
    assert_string_equal(err.message, "the stub fails");
    assert_true(camera_close(c));
}

/* At once, with full queues, with frames in the caller's hand, while the camera is lost. */
static void it_closes_from_any_state(void **state) {
    (void)state;
    const char *const cameras[] = {"fake:size=64x48,fps=0,live=0", "fake:size=64x48,fps=0",
                                   "fake:size=64x48,fps=20",
                                   "fake:size=64x48,fps=0,vanish_at=3,gone=60"};
    for (int i = 0; i < 4; i++)
        for (int taken = 0; taken < 3; taken++) {
            stub_task task = stub(.001);
            camera *c = camera_of(cameras[i]);
            pipeline *p = start(c, &task.base, 0);
            bool ended;
            usleep(taken == 0 ? 0 : 30000);
            for (int k = 0; k < taken; k++)
                pipeline_next(p, .05, &ended); /* and never given back */
            gdrq_error err = {""};
            must_be_ok(pipeline_end(p, &err), &err);
            camera_close(c);
        }
}

static const char *const cfg_text =
    "[net]\nbatch=1\nwidth=48\nheight=32\nchannels=3\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\n"
    "activation=leaky\nweight_bits=8\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[gdrq_convolutional]\nsize=1\nfilters=21\nactivation=linear\nweight_bits=8\n"
    "[yolo]\nmask=0,1,2\nanchors=4,4, 16,16, 30,30\nclasses=2\nnum=3\n";

/* The whole way, as `detector test` goes it, for float and folded networks. */
static void check_network(network *net) {
    const gdrq_box_options options = {.thresh = .01f, .hier = .5f, .nms = .45f};
    unsigned char bytes[90 * 70 * 3], fitted[48 * 32 * 3];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 ^ i >> 3);
    const gdrq_pixels image = {bytes, 90, 70, 270, GDRQ_BGR};
    const gdrq_pixels same = {fitted, 48, 32, 144, GDRQ_RGB};
    gdrq_boxes *boxes = gdrq_boxes_new();
    detection *found;
    gdrq_error err = {""};
    int n[2];
    float sum[2] = {0};
    must_be_ok(gdrq_letterbox_pixels(&image, 48, 32, fitted, &err), &err);
    for (int way = 0; way < 2; way++) {
        must_be_ok(gdrq_network_predict_pixels(net, way ? &same : &image, NULL, &err), &err);
        must_be_ok(gdrq_network_boxes(net, 90, 70, &options, boxes, &found, &n[way], &err), &err);
        for (int i = 0; i < n[way]; i++)
            sum[way] += found[i].bbox.x + found[i].prob[0];
    }
    assert_true(n[0] > 0);
    assert_int_equal(n[0], n[1]);
    assert_true(sum[0] == sum[1]);
    gdrq_boxes_free(boxes);
}

static void fitting_beforehand_changes_nothing(void **state) {
    (void)state;
    fold_pair pair;
    seed_random(811);
    assert_true(make_pair(&pair, cfg_text));
    check_network(pair.trained);
    check_network(pair.folded);
    free_pair(&pair);
}

static void check_average(network *net) {
    layer *head = &net->layers[net->n - 1];
    average a;
    gdrq_error err = {""};
    must_be_ok(average_open(&a, net, 3, &err), &err);
    const float outputs[] = {3, 6, 9, 30};
    const float means[] = {3, 4.5f, 6, 15};
    for (int i = 0; i < 4; i++) {
        head->output[0] = outputs[i];
        head->output[head->outputs - 1] = 2 * outputs[i];
        average_apply(&a);
        assert_true(head->output[0] == means[i]);
        assert_true(head->output[head->outputs - 1] == 2 * means[i]);
    }
    average_forget(&a);
    head->output[0] = 5;
    average_apply(&a);
    assert_true(head->output[0] == 5);
    average_free(&a);
    must_be_ok(average_open(&a, net, 1, &err), &err);
    average_apply(&a);
    assert_true(head->output[0] == 5);
    average_free(&a);
}

static void the_mean_is_that_of_the_last_frames(void **state) {
    (void)state;
    network *net = parse_text(cfg_text);
    check_average(net);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_keeps_every_frame_in_order),
        cmocka_unit_test(frames_can_be_left_out),
        cmocka_unit_test(a_live_source_never_lags),
        cmocka_unit_test(a_live_source_does_not_wait_for_slow_outputs),
        cmocka_unit_test(frames_of_a_file_belong_together),
        cmocka_unit_test(stopping_gives_the_network_no_more_work),
        cmocka_unit_test(a_camera_that_vanishes_comes_back),
        cmocka_unit_test(drawing_and_thresholds_change_under_way),
        cmocka_unit_test(a_stage_that_fails_ends_it_with_its_error),
        cmocka_unit_test(it_closes_from_any_state),
        cmocka_unit_test(fitting_beforehand_changes_nothing),
        cmocka_unit_test(the_mean_is_that_of_the_last_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
