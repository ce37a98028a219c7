/* The web servers of a run: when a picture is worth encoding, and a slider that others move. */
#include "demo/web_sink.h"
#include "seconds.h"

#include "http_client.h"

#include "cmocka_all.h"

static const float thresh = .25f;

static void open_sink_of(web_sink *w, demo_findings findings) {
    const demo_options options = {
        .http = 0, .mjpeg_port = -1, .json_port = -1, .findings = findings, .thresh = thresh};
    gdrq_error err;
    if (web_sink_open(w, &options, "sink", &err) != GDRQ_OK)
        fail_msg("%s", err.message);
}

static void open_sink(web_sink *w) {
    open_sink_of(w, DEMO_OBJECTS);
}

/* Of 300 ms in which a client waits all the time. */
static void pictures_are_encoded_30_times_a_second_at_most(void **state) {
    (void)state;
    web_sink w;
    open_sink(&w);
    assert_false(web_sink_wants_picture(&w));
    const int fd = client_get(http_server_port(w.page), "/stream.mjpg", 0);
    const double begin = seconds_now();
    while (!web_sink_wants_picture(&w) && seconds_now() - begin < 2)
        usleep(1000);
    const double start = seconds_now();
    int wanted = 0;
    for (; seconds_now() - start < .3; usleep(500))
        wanted += web_sink_wants_picture(&w);
    assert_in_range(wanted, 4, (int)(30 * (seconds_now() - start)) + 1);
    close(fd);
    web_sink_close(&w);
}

static void a_slider_that_follows_was_not_moved(void **state) {
    (void)state;
    web_sink w;
    float slider;
    open_sink(&w);
    assert_false(web_sink_moved(&w, &slider));
    web_sink_set_slider(&w, .5f);
    assert_true(http_server_threshold(w.page) == .5f);
    assert_false(web_sink_moved(&w, &slider));
    const client_reply *reply = client_ask(http_server_port(w.page), "POST", "/threshold",
                                           "Host: localhost\r\n", "value=0.75");
    assert_int_equal(reply->status, 200);
    assert_true(web_sink_moved(&w, &slider));
    assert_true(slider == .75f);
    web_sink_close(&w);
    /* Without a page there is nothing to move. */
    web_sink_set_slider(&w, .5f);
    assert_false(web_sink_moved(&w, &slider));
}

static void without_a_threshold_there_is_no_slider(void **state) {
    (void)state;
    web_sink w;
    float slider;
    open_sink_of(&w, DEMO_SHARES);
    assert_int_equal(w.n, 1);
    web_sink_set_slider(&w, .5f);
    assert_true(http_server_threshold(w.servers[0]) == thresh);
    assert_false(web_sink_moved(&w, &slider));
    web_sink_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_encoded_30_times_a_second_at_most),
        cmocka_unit_test(a_slider_that_follows_was_not_moved),
        cmocka_unit_test(without_a_threshold_there_is_no_slider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
