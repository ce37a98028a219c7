/* The parts of the demo: queue, back-off, statistics, the fake camera, recordings, options. */
#include "demo/backoff.h"
#include "demo/camera.h"
#include "demo/frame_queue.h"
#include "demo/options.h"
#include "demo/recording.h"
#include "demo/statistics.h"
#include "seconds.h"
#include "small_network.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* In place of the system's: how full a disk is. */
static unsigned long long bytes_left = 1ull << 40;
int statvfs(const char *path, struct statvfs *disk) {
    (void)path;
    *disk = (struct statvfs){.f_bavail = bytes_left, .f_frsize = 1};
    return 0;
}

static void must(gdrq_status status, const gdrq_error *err) {
    if (status != GDRQ_OK)
        fail_msg("%s", err->message);
}

static void a_queue_keeps_order_and_ends(void **state) {
    (void)state;
    frame frames[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    frame_queue q;
    gdrq_error err;
    bool ended;
    must(frame_queue_open(&q, 2, &err), &err);
    assert_null(frame_queue_pop(&q, .01, &ended));
    assert_false(ended);
    assert_true(frame_queue_push(&q, &frames[0]));
    assert_true(frame_queue_push(&q, &frames[1]));
    assert_ptr_equal(frame_queue_push_newest(&q, &frames[2]), &frames[0]);
    assert_ptr_equal(frame_queue_take(&q), &frames[1]);
    frame_queue_close(&q);
    assert_false(frame_queue_push(&q, &frames[0]));
    assert_ptr_equal(frame_queue_push_newest(&q, &frames[0]), &frames[0]);
    assert_ptr_equal(frame_queue_pop(&q, 1, &ended), &frames[2]);
    assert_false(ended);
    assert_null(frame_queue_pop(&q, 1, &ended));
    assert_true(ended);
    assert_null(frame_queue_take(&q));
    frame_queue_free(&q);
    frame_queue_free(&q);
}

enum { PASSED = 20000 };

static void *push_many(void *user) {
    static frame frames[PASSED];
    frame_queue *q = user;
    for (int i = 0; i < PASSED; i++) {
        frames[i].number = (unsigned long)i;
        assert_true(frame_queue_push(q, &frames[i]));
    }
    frame_queue_close(q);
    return NULL;
}

static void a_queue_passes_all_frames_between_threads(void **state) {
    (void)state;
    frame_queue q;
    gdrq_error err;
    pthread_t thread;
    must(frame_queue_open(&q, 3, &err), &err);
    assert_int_equal(pthread_create(&thread, NULL, push_many, &q), 0);
    unsigned long n = 0;
    for (frame *f; (f = frame_queue_take(&q)); n++)
        assert_int_equal(f->number, n);
    assert_int_equal(n, PASSED);
    pthread_join(thread, NULL);
    frame_queue_free(&q);
}

static void *push_one(void *user) {
    static frame f;
    return frame_queue_push(user, &f) ? user : NULL;
}

static void closing_wakes_who_waits_for_room(void **state) {
    (void)state;
    frame_queue q;
    frame f = {0};
    gdrq_error err;
    pthread_t thread;
    void *pushed;
    must(frame_queue_open(&q, 1, &err), &err);
    assert_true(frame_queue_push(&q, &f));
    assert_int_equal(pthread_create(&thread, NULL, push_one, &q), 0);
    usleep(20000);
    frame_queue_close(&q);
    pthread_join(thread, &pushed);
    assert_null(pushed);
    frame_queue_free(&q);
}

static void waiting_doubles_up_to_eight_seconds(void **state) {
    (void)state;
    const double expected[] = {.5, 1, 2, 4, 8, 8};
    backoff b = {0};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_true(backoff_next(&b) == expected[i]);
    backoff_reset(&b);
    assert_true(backoff_next(&b) == .5);
}

static void close_to(double value, double expected, double share) {
    if (!(fabs(value - expected) <= share * expected))
        fail_msg("%g instead of %g", value, expected);
}

/* 100 frames a second with latencies of 1 to 100 ms. */
static void statistics_are_those_of_the_frames(void **state) {
    (void)state;
    statistics s = {0};
    for (int i = 0; i < 1000; i++) {
        const double done = 10 + i / 100.;
        statistics_add(&s, &(frame){.captured = done - (i % 100 + 1) / 1e3,
                                    .done = done,
                                    .times = {.network = .004, .prepare = .0002}});
    }
    close_to(statistics_fps(&s), 100, 1e-6);
    close_to(time_bins_quantile(&s.latencies, .5), .050, .02);
    close_to(time_bins_quantile(&s.latencies, .95), .095, .02);
    close_to(time_bins_quantile(&s.networks, .5), .004, .02);
    close_to(time_bins_quantile(&s.prepares, .95), .0002, .02);
    const demo_statistics *shown = statistics_show(&s, 20, 7, "playing");
    assert_int_equal(shown->frames, 1000);
    assert_int_equal(shown->dropped, 7);
    close_to(shown->fps, 100, .01);
    close_to(shown->latency_median, 50, .03);
    close_to(shown->latency_95, 95, .02);
    close_to(shown->network_ms, 4, 1e-6);
    /* Two seconds of silence count, and after the window nothing is left. */
    assert_true(statistics_show(&s, 22, 7, "")->fps < 60);
    assert_true(statistics_show(&s, 30, 7, "")->fps == 0);
}

static void statistics_of_nothing_are_zero(void **state) {
    (void)state;
    statistics s = {0};
    assert_true(statistics_show(&s, 5, 0, "")->fps == 0);
    assert_true(statistics_fps(&s) == 0);
    assert_true(time_bins_quantile(&s.latencies, .5) == 0);
    time_bins_add(&s.latencies, 0);
    time_bins_add(&s.latencies, 1e9);
    assert_int_equal(s.latencies.n, 2);
}

static camera *open_camera(const char *what, float stall) {
    const source_request request = {.what = what, .stall = stall};
    camera *c;
    gdrq_error err;
    must(camera_open(&request, &c, &err), &err);
    return c;
}

static int number_of(const frame_buffer *b) {
    const unsigned char *p = b->picture.data;
    return p[0] | p[1] << 8 | p[2] << 16;
}

static void the_fake_camera_keeps_its_pace_and_ends(void **state) {
    (void)state;
    const atomic_bool stop = false;
    const double start = seconds_now();
    camera *c = open_camera("fake:size=64x48,fps=100,frames=10,resize_at=5,resize=32x16", 1);
    frame_buffer b = {0};
    double captured;
    assert_true(camera_is_live(c));
    assert_true(camera_fps(c) == 100);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(camera_next(c, &b, &captured, &stop), CAMERA_FRAME);
        assert_int_equal(number_of(&b), i);
        assert_int_equal(b.picture.w, i <= 5 ? 64 : 32);
        assert_int_equal(b.picture.h, i <= 5 ? 48 : 16);
        assert_true(captured >= start && captured <= seconds_now());
    }
    assert_true(seconds_now() - start > .085);
    assert_int_equal(camera_next(c, &b, &captured, &stop), CAMERA_END);
    char text[CAMERA_STATE_SIZE];
    assert_string_equal(camera_state(c, text), "ended");
    frame_buffer_free(&b);
    assert_true(camera_close(c));
}

/* The lost camera is opened anew after half a second, fails, and a second later works. */
static void a_camera_that_vanishes_is_opened_anew(void **state) {
    (void)state;
    const atomic_bool stop = false;
    camera *c = open_camera("fake:size=64x48,fps=200,frames=8,vanish_at=4,gone=.7", 1);
    frame_buffer b = {0};
    double captured, before = 0, gap = 0;
    gdrq_error message = {""};
    for (int i = 1; i <= 8; i++) {
        assert_int_equal(camera_next(c, &b, &captured, &stop), CAMERA_FRAME);
        assert_int_equal(number_of(&b), i);
        if (i == 5)
            gap = captured - before;
        before = captured;
    }
    assert_true(gap > 1.4 && gap < 3);
    assert_true(camera_message(c, &message));
    assert_non_null(strstr(message.message, "there is no camera; trying again in 1 s"));
    assert_false(camera_message(c, &message));
    frame_buffer_free(&b);
    assert_true(camera_close(c));
}

/* A thread that reads a stalled camera can't be woken: it is left behind, and frees itself. */
static void a_camera_that_stalls_is_opened_anew(void **state) {
    (void)state;
    const atomic_bool stop = false;
    camera *c = open_camera("fake:size=64x48,fps=200,frames=8,stall_at=4,stall=1.5", .2f);
    frame_buffer b = {0};
    double captured;
    gdrq_error message = {""};
    const double start = seconds_now();
    for (int i = 1; i <= 5; i++)
        assert_int_equal(camera_next(c, &b, &captured, &stop), CAMERA_FRAME);
    assert_true(camera_message(c, &message));
    assert_non_null(strstr(message.message, "no frame for 0.2 s; trying again in 0.5 s"));
    frame_buffer_free(&b);
    camera_close(c);
    usleep((useconds_t)(1e6 * fmax(0, start + 1.8 - seconds_now())));
}

static void *stop_soon(void *user) {
    usleep(50000);
    atomic_store((atomic_bool *)user, true);
    return NULL;
}

/* In whatever state: without frames, lost, between frames, and with a file that blocks. */
static void a_camera_stops_when_told(void **state) {
    (void)state;
    const char *const cameras[] = {"fake:size=32x32,fps=.01", "fake:size=32x32,vanish_at=1,gone=99",
                                   "fake:size=32x32,fps=500",
                                   "fake:size=32x32,fps=0,live=0,stall_at=1,stall=9"};
    for (int i = 0; i < 4; i++) {
        atomic_bool stop = false;
        pthread_t thread;
        frame_buffer b = {0};
        double captured;
        camera *c = open_camera(cameras[i], 60);
        assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop), 0);
        const double start = seconds_now();
        while (camera_next(c, &b, &captured, &stop) == CAMERA_FRAME)
            ;
        assert_true(seconds_now() - start < 1);
        pthread_join(thread, NULL);
        frame_buffer_free(&b);
        camera_close(c);
    }
}

/* A film on a server that stalls: all that came is there, and it ends with a word. */
static void a_file_that_blocks_keeps_its_frames_and_ends(void **state) {
    (void)state;
    const atomic_bool stop = false;
    camera *c = open_camera("fake:size=64x48,fps=0,live=0,stall_at=20,stall=.6", .3f);
    frame_buffer b = {0};
    double captured;
    gdrq_error message = {""};
    assert_false(camera_is_live(c));
    for (int i = 1; i <= 20; i++) {
        usleep(1000);
        assert_int_equal(camera_next(c, &b, &captured, &stop), CAMERA_FRAME);
        assert_int_equal(number_of(&b), i);
    }
    assert_int_equal(camera_next(c, &b, &captured, &stop), CAMERA_END);
    assert_true(camera_message(c, &message));
    assert_non_null(strstr(message.message, "no frame for 0.3 s"));
    assert_int_equal(camera_skipped(c), 1);
    frame_buffer_free(&b);
    assert_true(camera_close(c));
}

static void films_on_servers_and_in_pipelines_are_files(void **state) {
    (void)state;
    const struct {
        const char *what;
        bool live;
    } known[] = {{"http://[::1]/a.mp4", false},
                 {"https://a.example/b/film.AVI?token=1.x&y=/z", false},
                 {"http://a.example/film.mkv#t=10", false},
                 {"http://a.example/stream?file=a.mp4", true},
                 {"rtsp://a.example/film.mp4", true},
                 {"filesrc location=a.mp4 ! decodebin", false},
                 {"uridecodebin uri=file:///a.mp4 ! videoconvert", false},
                 {"uridecodebin uri=\"file:///a.mp4\" ! videoconvert", false},
                 {"uridecodebin uri=rtsp://a.example/b ! videoconvert", true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        source_request request = {.what = known[i].what};
        source *s;
        gdrq_error err;
        must(source_make(&request, &s, &err), &err);
        if (s->live != known[i].live || !s->may_block)
            fail_msg("%s: live %d", known[i].what, s->live);
        s->methods->free(s);
    }
}

static gdrq_error cannot_open(const char *what, int w) {
    const source_request request = {.what = what, .w = w, .stall = 1};
    camera *c;
    gdrq_error err = {""};
    assert_int_not_equal(camera_open(&request, &c, &err), GDRQ_OK);
    assert_null(c);
    return err;
}

static void what_is_no_source_is_an_error(void **state) {
    (void)state;
    char *text = temporary_file("no video", 8);
    assert_non_null(strstr(cannot_open("fake:size=64", 0).message, "fake camera"));
    assert_non_null(strstr(cannot_open("fake:rate=3", 0).message, "'rate'"));
    assert_non_null(strstr(cannot_open("no/such.mp4", 0).message, "no/such.mp4: can't be opened"));
    assert_non_null(strstr(cannot_open("no/such*.jpg", 0).message, "no picture has such a name"));
    assert_non_null(strstr(cannot_open(text, 0).message, "not a video"));
    assert_non_null(strstr(cannot_open("7", 0).message, "camera 7 can't be opened"));
    assert_non_null(strstr(cannot_open("fake:fps=9", 640).message, "-w, -h and -fps"));
    discard(text);
}

static const char *why_not(demo_options o) {
    static gdrq_error err;
    const char *const inputs[] = {"a.data"};
    assert_int_equal(demo_options_check(&o, inputs, 1, &err), GDRQ_ERROR_ARGUMENT);
    return err.message;
}

static demo_options with(void (*change)(demo_options *o)) {
    demo_options o = demo_defaults();
    change(&o);
    return o;
}

static void benchmark_and_json(demo_options *o) {
    o->benchmark = true;
    o->json = "-";
}
static void two_on_standard_output(demo_options *o) {
    o->json = "-";
    o->ext_output = true;
}
static void two_sources(demo_options *o) {
    o->source = "a.mp4";
    o->camera = 1;
}
static void one_port_twice(demo_options *o) {
    o->http = o->json_port = 8080;
}
static void bind_alone(demo_options *o) {
    o->http_bind = "0.0.0.0";
}
static void no_video_name(demo_options *o) {
    o->out_filename = "a.jpg";
}
static void no_window_to_fill(demo_options *o) {
    o->fullscreen = o->dont_show = true;
}

static void options_that_contradict_each_other_are_refused(void **state) {
    (void)state;
    gdrq_error err;
    const demo_options o = demo_defaults();
    assert_int_equal(demo_options_check(&o, NULL, 0, &err), GDRQ_OK);
    assert_non_null(strstr(why_not(with(benchmark_and_json)), "-benchmark"));
    assert_non_null(strstr(why_not(with(two_on_standard_output)), "-ext_output"));
    assert_non_null(strstr(why_not(with(two_sources)), "-c and a SOURCE"));
    assert_non_null(strstr(why_not(with(one_port_twice)), "a port each"));
    assert_non_null(strstr(why_not(with(bind_alone)), "-http_bind needs"));
    assert_non_null(strstr(why_not(with(no_video_name)), "must end in .avi"));
    assert_non_null(strstr(why_not(with(no_window_to_fill)), "-fullscreen"));
}

static char *make_folder(void) {
    static char folder[32];
    strcpy(folder, "/tmp/gdrq-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void outputs_replace_neither_source_nor_each_other(void **state) {
    (void)state;
    char *folder = make_folder(), picture[64], prefix[64], other[64], pattern[64], json[64];
    snprintf(picture, sizeof picture, "%s/p_00000003.jpg", folder);
    snprintf(prefix, sizeof prefix, "%s/p", folder);
    snprintf(other, sizeof other, "%s/./p", folder);
    snprintf(pattern, sizeof pattern, "%s/p_*.jpg", folder);
    snprintf(json, sizeof json, "%s/v.avi", folder);
    write_text(picture, "no picture");
    demo_options o = demo_defaults();
    gdrq_error err;
    const char *const sources[] = {folder, pattern, picture};
    for (int i = 0; i < 3; i++) {
        o.source = sources[i];
        o.prefix = i % 2 ? prefix : other;
        assert_non_null(strstr(why_not(o), "p_00000003.jpg, which is read, could be replaced"));
    }
    snprintf(other, sizeof other, "%s/q", folder);
    o.prefix = other;
    assert_int_equal(demo_options_check(&o, NULL, 0, &err), GDRQ_OK);
    o.prefix = NULL;
    o.json = picture;
    assert_non_null(strstr(why_not(o), "would be replaced"));
    o.source = NULL;
    o.prefix = prefix;
    assert_non_null(strstr(why_not(o), "-json names a picture"));
    o.prefix = NULL;
    o.json = json;
    char same[64];
    snprintf(same, sizeof same, "%s/../%s/v.avi", folder, strrchr(folder, '/') + 1);
    o.out_filename = same;
    assert_non_null(strstr(why_not(o), "name the same file"));
    o.json = NULL;
    write_text(json, "no video");
    char url[80];
    snprintf(url, sizeof url, "file://%s", json);
    o.source = url;
    assert_non_null(strstr(why_not(o), "would be replaced"));
    unlink(json);
    unlink(picture);
    assert_int_equal(rmdir(folder), 0);
}

static picture grey(int w, int h) {
    picture p;
    gdrq_error err;
    must(picture_make(w, h, (const unsigned char[]){90, 120, 150}, &p, &err), &err);
    return p;
}

/* A second of a live source lasts a second, however many frames came of it. */
static void a_recording_lasts_as_long_as_what_it_shows(void **state) {
    (void)state;
    char folder[] = "/tmp/gdrq-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/v.avi", folder);
    recording r = recording_of(path, 20, true);
    picture large = grey(64, 48), small = grey(32, 32);
    gdrq_error err = {""};
    for (int i = 0; i <= 10; i++)
        must(recording_add(&r, i % 2 ? &small : &large, 100 + i * .1, &err), &err);
    must(recording_add(&r, &large, 500, &err), &err);
    assert_int_not_equal(access(path, F_OK), 0);
    must(recording_finish(&r, &err), &err);
    const atomic_bool stop = false;
    camera *c = open_camera(path, 1);
    frame_buffer b = {0};
    double captured;
    int n = 0;
    assert_false(camera_is_live(c));
    for (; camera_next(c, &b, &captured, &stop) == CAMERA_FRAME; n++) {
        assert_int_equal(b.picture.w, 64);
        assert_int_equal(b.picture.h, 48);
        assert_true(abs(b.picture.data[3 * 1000] - 90) < 10);
    }
    assert_int_equal(n, 1 + 20 + 20);
    assert_true(camera_close(c));
    frame_buffer_free(&b);
    picture_free(&large);
    picture_free(&small);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static int count_kept(const demo_result *r, float *least) {
    demo_cut cut = demo_result_cut(r);
    int n = 0;
    *least = 2;
    for (int i = 0; i < r->n_boxes; i++)
        for (int k = 0; k < r->boxes[i].classes; k++)
            if (demo_cut_keeps(&cut, r->boxes[i].prob[k])) {
                n++;
                *least = fminf(*least, r->boxes[i].prob[k]);
            }
    return n;
}

static void the_best_objects_are_told_whatever_their_order(void **state) {
    (void)state;
    enum { BOXES = 300, CLASSES = 2 };
    static float scores[BOXES][CLASSES];
    static detection boxes[BOXES];
    for (int i = 0; i < BOXES; i++) {
        boxes[i] = (detection){.classes = CLASSES, .prob = scores[i]};
        scores[i][0] = .2f + .001f * (float)(i * 7 % BOXES);
        scores[i][1] = .01f;
    }
    demo_result r = {.thresh = .1f, .boxes = boxes, .n_boxes = BOXES};
    float least;
    assert_int_equal(count_kept(&r, &least), BOXES);
    r.most_objects = DEMO_MOST_OBJECTS;
    assert_int_equal(count_kept(&r, &least), DEMO_MOST_OBJECTS);
    assert_true(fabsf(least - .3f) < 1e-5f);
    r.n_boxes = DEMO_MOST_OBJECTS - 1;
    assert_int_equal(count_kept(&r, &least), DEMO_MOST_OBJECTS - 1);
    /* Of those that are equal it tells as many as there is room for. */
    r.n_boxes = BOXES;
    for (int i = 0; i < BOXES; i++)
        scores[i][0] = scores[i][1] = .5f;
    assert_int_equal(count_kept(&r, &least), DEMO_MOST_OBJECTS);
}

/* What there is of a film is not thrown away. */
static void a_video_that_is_not_complete_is_kept(void **state) {
    (void)state;
    char *folder = make_folder(), path[64], part[64];
    snprintf(path, sizeof path, "%s/v.avi", folder);
    snprintf(part, sizeof part, "%s/v.part-%d.avi", folder, (int)getpid());
    picture p = grey(64, 48);
    video_writer *v;
    gdrq_error err = {""};
    must(video_writer_open(path, 64, 48, 20, &v, &err), &err);
    must(video_writer_add(v, &p, &err), &err);
    assert_int_equal(unlink(part), 0);
    write_text(part, "what was written before the disk was full");
    assert_int_equal(video_writer_finish(v, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "not all of the 1 frames could be written"));
    assert_non_null(strstr(err.message, part));
    assert_int_equal(access(part, F_OK), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    picture_free(&p);
    unlink(part);
    assert_int_equal(rmdir(folder), 0);
}

/* The reserve is looked at before each frame, and grows with them. */
static void a_video_ends_before_the_disk_is_full(void **state) {
    (void)state;
    char *folder = make_folder(), path[64];
    snprintf(path, sizeof path, "%s/v.avi", folder);
    picture p = grey(1280, 1024);
    video_writer *v;
    gdrq_error err = {""};
    must(video_writer_open(path, p.w, p.h, 20, &v, &err), &err);
    must(video_writer_add(v, &p, &err), &err);
    bytes_left = 12 << 20;
    assert_int_equal(video_writer_add(v, &p, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "the video ends after 1 frames"));
    bytes_left = 1ull << 40;
    must(video_writer_finish(v, &err), &err);
    assert_int_equal(access(path, F_OK), 0);
    picture_free(&p);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_objects_are_told_whatever_their_order),
        cmocka_unit_test(a_queue_keeps_order_and_ends),
        cmocka_unit_test(a_queue_passes_all_frames_between_threads),
        cmocka_unit_test(closing_wakes_who_waits_for_room),
        cmocka_unit_test(waiting_doubles_up_to_eight_seconds),
        cmocka_unit_test(statistics_are_those_of_the_frames),
        cmocka_unit_test(statistics_of_nothing_are_zero),
        cmocka_unit_test(the_fake_camera_keeps_its_pace_and_ends),
        cmocka_unit_test(a_camera_that_vanishes_is_opened_anew),
        cmocka_unit_test(a_camera_that_stalls_is_opened_anew),
        cmocka_unit_test(a_camera_stops_when_told),
        cmocka_unit_test(a_file_that_blocks_keeps_its_frames_and_ends),
        cmocka_unit_test(films_on_servers_and_in_pipelines_are_files),
        cmocka_unit_test(what_is_no_source_is_an_error),
        cmocka_unit_test(options_that_contradict_each_other_are_refused),
        cmocka_unit_test(outputs_replace_neither_source_nor_each_other),
        cmocka_unit_test(a_recording_lasts_as_long_as_what_it_shows),
        cmocka_unit_test(a_video_that_is_not_complete_is_kept),
        cmocka_unit_test(a_video_ends_before_the_disk_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
