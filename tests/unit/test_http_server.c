/* The demo's web server: its paths, whom it refuses, and what it does without memory. */
#include "demo/http_guard.h"

#include "http_server_test.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdatomic.h>

static void test_page(void **state) {
    (void)state;
    const client_reply *page = get("/");
    assert_status(page, 200);
    assert_has(page, "Content-Type: text/html; charset=utf-8\r\n");
    assert_has(page, "Cache-Control: no-store\r\n");
    assert_has(page, "X-Content-Type-Options: nosniff\r\n");
    assert_has(page, "Content-Security-Policy: default-src 'none'; script-src 'self'; ");
    assert_has(page, "Cross-Origin-Resource-Policy: same-origin\r\n");
    assert_non_null(strstr(page->body, "<title>cats &amp; &lt;dogs&gt;</title>"));
    assert_null(strchr(page->body, '@'));
    assert_non_null(strstr(page->body, "type=\"range\" min=\"0.01\" max=\"1\""));
    /* Nothing from elsewhere, and nothing that the policy forbids. */
    assert_null(strstr(page->body, "://"));
    assert_null(strstr(page->body, "<style"));
    assert_null(strstr(page->body, " style="));
    assert_null(strstr(page->body, "<script>"));
    assert_has(get("/page.css"), "Content-Type: text/css; charset=utf-8\r\n");
    assert_has(get("/page.js"), "Content-Type: text/javascript; charset=utf-8\r\n");
}

static void test_methods_and_paths(void **state) {
    (void)state;
    static const char *const paths[] = {"/",       "/page.css",        "/page.js", "/stream.mjpg",
                                        "/events", "/detections.json", "/metrics"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const client_reply *head = client_ask(port, "HEAD", paths[i], HOST, "");
        assert_status(head, 200);
        assert_string_equal(head->body, "");
        assert_has(head, "Cache-Control: no-store\r\n");
        const client_reply *post = client_ask(port, "POST", paths[i], HOST, "value=1");
        assert_status(post, 405);
        assert_has(post, "Allow: GET, HEAD\r\n");
        assert_status(client_ask(port, "DELETE", paths[i], HOST, ""), 405);
    }
    const client_reply *threshold = get("/threshold");
    assert_status(threshold, 405);
    assert_has(threshold, "Allow: POST\r\n");
    assert_status(client_ask(port, "HEAD", "/threshold", HOST, ""), 405);
    assert_status(get("/favicon.ico"), 404);
    assert_status(get("/../etc/passwd"), 404);
    assert_status(get("/page.css/"), 404);
    assert_status(client_ask(port, "POST", "/nothing", HOST, "value=1"), 404);
    assert_false(http_server_wants_pictures(server));
}

static void test_detections_and_metrics(void **state) {
    (void)state;
    assert_string_equal(get("/detections.json")->body, "{}\n");
    publish(7, 0);
    const client_reply *json = get("/detections.json");
    assert_has(json, "Content-Type: application/json; charset=utf-8\r\n");
    assert_string_equal(json->body, "{\"frame_id\":7, \"objects\":[]}\n");
    const client_reply *metrics = get("/metrics");
    assert_has(metrics, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_string_equal(
        metrics->body,
        "# HELP darknet_frames_total Frames with a result.\n"
        "# TYPE darknet_frames_total counter\n"
        "darknet_frames_total 7\n"
        "# HELP darknet_dropped_frames_total Frames that the source gave and nobody looked at.\n"
        "# TYPE darknet_dropped_frames_total counter\n"
        "darknet_dropped_frames_total 3\n"
        "# HELP darknet_frames_per_second Results per second, over the last seconds.\n"
        "# TYPE darknet_frames_per_second gauge\n"
        "darknet_frames_per_second 30.5\n"
        "# HELP darknet_latency_seconds From capture to result, over the last seconds.\n"
        "# TYPE darknet_latency_seconds summary\n"
        "darknet_latency_seconds{quantile=\"0.5\"} 0.012\n"
        "darknet_latency_seconds{quantile=\"0.95\"} 0.02\n"
        "# HELP darknet_network_seconds Of the network alone, median.\n"
        "# TYPE darknet_network_seconds gauge\n"
        "darknet_network_seconds 0.006\n"
        "# HELP darknet_source_playing 1 while frames come, 0 in an outage or a pause.\n"
        "# TYPE darknet_source_playing gauge\n"
        "darknet_source_playing 1\n"
        "# HELP darknet_http_clients Connections to this server.\n"
        "# TYPE darknet_http_clients gauge\n"
        "darknet_http_clients 1\n"
        "# HELP darknet_threshold Detections below it are not shown.\n"
        "# TYPE darknet_threshold gauge\n"
        "darknet_threshold 0.25\n");
}

/* An outage: what was seen last is still the newest, and the state is told beside it. */
static void test_state_without_frame(void **state) {
    (void)state;
    publish(7, 0);
    const http_frame lost = {.number = 7,
                             .statistics = {.frames = 7, .source_state = "reconnecting in 4 s"}};
    http_server_publish(server, &lost);
    reader *r = open_reader("/events");
    read_until(r, "\"fps\":0,");
    read_until(r, "\"source\":\"reconnecting in 4 s\"");
    read_until(r, "\"detections\":null}");
    close_reader(r);
    assert_string_equal(get("/detections.json")->body, "{\"frame_id\":7, \"objects\":[]}\n");
    const client_reply *metrics = get("/metrics");
    assert_non_null(strstr(metrics->body, "\ndarknet_source_playing 0\n"));
    assert_non_null(strstr(metrics->body, "\ndarknet_frames_per_second 0\n"));
    publish(8, 0);
    assert_non_null(strstr(get("/metrics")->body, "\ndarknet_source_playing 1\n"));
}

/* Keys of the window move it, too. */
static void test_slider_follows(void **state) {
    (void)state;
    http_server_set_threshold(server, .5f);
    assert_true(http_server_threshold(server) == .5f);
    assert_non_null(strstr(get("/metrics")->body, "\ndarknet_threshold 0.5\n"));
}

static int start_shares(void **state) {
    (void)state;
    return start_of(HTTP_PAGE, DEMO_SHARES);
}

static void test_no_threshold(void **state) {
    (void)state;
    const client_reply *page = get("/");
    assert_status(page, 200);
    assert_null(strchr(page->body, '@'));
    assert_null(strstr(page->body, "hreshold"));
    assert_null(strstr(page->body, "Box, pixels"));
    assert_non_null(strstr(page->body, ">Share</th>"));
    assert_non_null(strstr(page->body, "</html>"));
    assert_status(get("/threshold"), 404);
    assert_status(client_ask(port, "POST", "/threshold", HOST, "value=0.5"), 404);
    assert_true(http_server_threshold(server) == .25f);
    publish(7, 0);
    assert_null(strstr(get("/metrics")->body, "threshold"));
    reader *r = open_reader("/events");
    read_until(r, "\"threshold\":null}");
    close_reader(r);
}

static int post_threshold(const char *headers, const char *body) {
    return client_ask(port, "POST", "/threshold", headers, body)->status;
}

static void assert_threshold(double expected) {
    assert_true(fabs(http_server_threshold(server) - expected) < 1e-6);
}

static void test_threshold_values(void **state) {
    (void)state;
    static const char *const bad[] = {"value=0",   "value=0.009", "value=.00",   "value=000",
                                      "",          "value",       "value=",      "value=1.01",
                                      "value=2",   "value=-1",    "value=nan",   "value=1e-1",
                                      "value=.",   "value=0x1",   "value=0.5 ",  "value=0,5",
                                      "value=inf", "value=.5.5",  "other=0.5",   "value=+0.5",
                                      "xvalue=.5", "VALUE=0.5",   "value=0.5%00"};
    assert_threshold(.25);
    const client_reply *reply = client_ask(port, "POST", "/threshold", HOST, "value=0.5");
    assert_status(reply, 200);
    assert_string_equal(reply->body, "{\"threshold\":0.5}\n");
    assert_threshold(.5);
    for (size_t i = 0; i < sizeof bad / sizeof *bad - 1; i++)
        if (post_threshold(HOST, bad[i]) != 400)
            fail_msg("'%s' was taken", bad[i]);
    assert_threshold(.5);
    assert_int_equal(post_threshold(HOST, "a=b&value=0%2E75&c"), 200);
    assert_threshold(.75);
    assert_int_equal(post_threshold(HOST, "value=0.01"), 200);
    assert_threshold(.01);
    assert_int_equal(post_threshold(HOST, "value=1.000"), 200);
    assert_threshold(1);
    static char longer[2000] = "value=0.5&padding=";
    memset(longer + strlen(longer), 'x', sizeof longer - 1 - strlen(longer));
    assert_int_equal(post_threshold(HOST, longer), 413);
    assert_threshold(1);
}

static void test_threshold_from_elsewhere(void **state) {
    (void)state;
    static const char *const refused[] = {
        HOST "Origin: http://example.org\r\n",
        HOST "Origin: null\r\n",
        HOST "Origin: https://localhost\r\n",
        HOST "Origin: http://localhost:1\r\n",
        HOST "Sec-Fetch-Site: cross-site\r\n",
        HOST "Sec-Fetch-Site: same-site\r\n",
        HOST "Origin: http://localhost\r\nSec-Fetch-Site: cross-site\r\n",
        "Host: example.org\r\nOrigin: http://example.org\r\nSec-Fetch-Site: same-origin\r\n",
        "Host: example.org\r\n",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (post_threshold(refused[i], "value=0.9") != 403)
            fail_msg("taken from %s", refused[i]);
    assert_threshold(.25);
    assert_int_equal(post_threshold(HOST
                                    "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n",
                                    "value=0.3"),
                     200);
    assert_int_equal(
        post_threshold("Host: 127.0.0.1:81\r\nOrigin: http://127.0.0.1:81\r\n", "value=0.4"), 200);
    assert_threshold(.4);
    /* Nor may such a page look. */
    assert_status(client_ask(port, "GET", "/detections.json", "Host: example.org\r\n", ""), 403);
    assert_status(client_ask(port, "GET", "/stream.mjpg", "Host: example.org:80\r\n", ""), 403);
}

static void test_hosts(void **state) {
    (void)state;
    static const char *const good[] = {"localhost", "LocalHost:8080", "127.0.0.1", "10.0.0.7:80",
                                       "[::1]",     "[fe80::1]:8080", "camera"};
    static const char *const bad[] = {"",
                                      "example.org",
                                      "localhost.example.org",
                                      "[::1",
                                      "localhost:80x",
                                      "1.2.3.4.example.org",
                                      "[camera]",
                                      "::1",
                                      "localhost:80:80",
                                      "[::1]x",
                                      "127.0.0.1@example.org"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!http_host_allowed(good[i], "camera"))
            fail_msg("'%s' is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (http_host_allowed(bad[i], "camera"))
            fail_msg("'%s' is allowed", bad[i]);
    char own[300], local[320];
    assert_int_equal(gethostname(own, sizeof own), 0);
    snprintf(local, sizeof local, "%s.local:8080", own);
    assert_true(http_host_allowed(own, "camera"));
    assert_true(http_host_allowed(local, "camera"));
    assert_true(http_host_allowed(NULL, "camera"));
}

/* JSON knows no NaN; a comma would end the number. */
static void test_numbers(void **state) {
    (void)state;
    static const char *const with_commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
    for (size_t i = 0; i < sizeof with_commas / sizeof *with_commas; i++)
        if (setlocale(LC_NUMERIC, with_commas[i]))
            break;
    const http_frame frame = {
        .statistics = {.fps = NAN, .latency_median = .5, .latency_95 = HUGE_VAL}};
    http_server_publish(server, &frame);
    reader *r = open_reader("/events");
    read_until(r, "\"fps\":null,\"latency_median_ms\":0.5,\"latency_95_ms\":null,");
    close_reader(r);
    const client_reply *metrics = get("/metrics");
    assert_non_null(strstr(metrics->body, "\ndarknet_latency_seconds{quantile=\"0.5\"} 0.0005\n"));
    assert_non_null(strstr(metrics->body, "\ndarknet_threshold 0.25\n"));
    setlocale(LC_NUMERIC, "C");
}

static void test_no_start(void **state) {
    (void)state;
    gdrq_error err;
    http_server *other;
    http_options options = {.port = port, .most_clients = 4};
    assert_int_equal(http_server_start(&options, &other, &err), GDRQ_ERROR_IO);
    assert_null(other);
    assert_non_null(strstr(err.message, "can't listen on 127.0.0.1, port "));
    assert_non_null(strstr(err.message, "Address already in use"));
    options = (http_options){.bind = "no such address", .most_clients = 4};
    assert_int_equal(http_server_start(&options, &other, &err), GDRQ_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "'no such address'"));
    options = (http_options){.port = 65536, .most_clients = 4};
    assert_int_equal(http_server_start(&options, &other, &err), GDRQ_ERROR_ARGUMENT);
    options = (http_options){.most_clients = 0};
    assert_int_equal(http_server_start(&options, &other, &err), GDRQ_ERROR_ARGUMENT);
}

/* Which of our allocations fails; none by default. */
static atomic_int fails_after = INT_MAX;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size) {
    return atomic_fetch_sub(&fails_after, 1) == 0 ? NULL : __real_calloc(count, size);
}

static void test_start_without_memory(void **state) {
    (void)state;
    const http_options options = {.most_clients = 4, .threshold = .25f};
    int failures = 0;
    gdrq_status status = GDRQ_ERROR_MEMORY;
    for (; status != GDRQ_OK; failures++) {
        http_server *started;
        gdrq_error err;
        assert_in_range(failures, 0, 20);
        atomic_store(&fails_after, failures);
        status = http_server_start(&options, &started, &err);
        const bool failed = atomic_exchange(&fails_after, INT_MAX) < 0;
        if (status == GDRQ_OK && failed)
            status = GDRQ_ERROR_MEMORY; /* of the first frame, which may be missing */
        else if (status != GDRQ_OK)
            assert_non_null(strstr(err.message, "out of memory"));
        http_server_stop(started);
    }
    assert_in_range(failures, 5, 20);
}

/* A frame for which there is no memory is left out; the clients see the one before. */
static void test_publish_without_memory(void **state) {
    (void)state;
    publish(1, 100);
    /* Held by a client that waits for another, so that the next two need new ones. */
    reader *r = open_reader("/stream.mjpg");
    publish(2, 100);
    read_until(r, "<picture 2>");
    atomic_store(&fails_after, 0);
    publish(3, 900000);
    atomic_store(&fails_after, INT_MAX);
    assert_string_equal(get("/detections.json")->body, "{\"frame_id\":2, \"objects\":[]}\n");
    publish(4, 100);
    read_until(r, "<picture 4>");
    assert_null(strstr(r->text, "<picture 3>"));
    close_reader(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(start_page, test_page),
        WITH(start_page, test_methods_and_paths),
        WITH(start_page, test_detections_and_metrics),
        WITH(start_page, test_state_without_frame),
        WITH(start_page, test_slider_follows),
        WITH(start_shares, test_no_threshold),
        WITH(start_page, test_threshold_values),
        WITH(start_page, test_threshold_from_elsewhere),
        cmocka_unit_test(test_hosts),
        WITH(start_page, test_numbers),
        WITH(start_page, test_no_start),
        cmocka_unit_test(test_start_without_memory),
        WITH(start_page, test_publish_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
