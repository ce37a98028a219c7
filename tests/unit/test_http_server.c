/* The demo's web server: its paths, whom it refuses, its streams, and clients that misbehave. */
#include "demo/http_guard.h"
#include "demo/http_server.h"

#include "http_client.h"
#include "seconds.h"

#include <limits.h>
#include <locale.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cmocka_all.h"

#define HOST "Host: localhost\r\n"

static http_server *server;
static int port;

static http_server *start(http_content content, int most_clients, int timeout) {
    const http_options options = {.content = content,
                                  .most_clients = most_clients,
                                  .timeout = timeout,
                                  .title = "cats & <dogs>",
                                  .threshold = .25f};
    http_server *started;
    gdrq_error err;
    if (http_server_start(&options, &started, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    return started;
}

static int start_page(void **state) {
    (void)state;
    server = start(HTTP_PAGE, 8, 1);
    port = http_server_port(server);
    return 0;
}

static int start_pictures(void **state) {
    (void)state;
    server = start(HTTP_PICTURES, 8, 1);
    port = http_server_port(server);
    return 0;
}

static int start_json(void **state) {
    (void)state;
    server = start(HTTP_JSON, 8, 1);
    port = http_server_port(server);
    return 0;
}

static int stop(void **state) {
    (void)state;
    http_server_stop(server);
    server = NULL;
    return 0;
}

static void nap(int milliseconds) {
    usleep(1000 * (unsigned)milliseconds);
}

/* A frame with a picture of some bytes, of which the first tell the number. */
static void publish(unsigned long number, size_t jpeg_size) {
    static unsigned char jpeg[1 << 20];
    char detections[64], name[32];
    assert_in_range(jpeg_size, 0, sizeof jpeg);
    memset(jpeg, 'x', jpeg_size);
    if (jpeg_size > 0)
        memcpy(jpeg, name, (size_t)snprintf(name, sizeof name, "<picture %lu>", number));
    snprintf(detections, sizeof detections, "{\"frame_id\":%lu,\n\"objects\":[]}", number);
    const http_frame frame = {.number = number,
                              .jpeg = jpeg_size > 0 ? jpeg : NULL,
                              .jpeg_size = jpeg_size,
                              .detections = detections,
                              .statistics = {.fps = 30.5,
                                             .latency_median = 12,
                                             .latency_95 = 20,
                                             .network_ms = 6,
                                             .frames = number,
                                             .dropped = 3,
                                             .source_state = "playing \"it\""}};
    http_server_publish(server, &frame);
}

static const client_reply *get(const char *path) {
    return client_ask(port, "GET", path, HOST, "");
}

static void assert_status(const client_reply *reply, int status) {
    if (reply->status != status)
        fail_msg("status %d, not %d: %s", reply->status, status, reply->text);
}

static void assert_has(const client_reply *reply, const char *header_line) {
    if (!client_reply_has(reply, header_line))
        fail_msg("no '%s' in: %s", header_line, reply->text);
}

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
    assert_null(strstr(page->body, "@TITLE@"));
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
        "# HELP darknet_http_clients Connections to this server.\n"
        "# TYPE darknet_http_clients gauge\n"
        "darknet_http_clients 1\n"
        "# HELP darknet_threshold Detections below it are not shown.\n"
        "# TYPE darknet_threshold gauge\n"
        "darknet_threshold 0.25\n");
}

static int post_threshold(const char *headers, const char *body) {
    return client_ask(port, "POST", "/threshold", headers, body)->status;
}

static void assert_threshold(double expected) {
    assert_true(fabs(http_server_threshold(server) - expected) < 1e-6);
}

static void test_threshold_values(void **state) {
    (void)state;
    static const char *const bad[] = {"",          "value",      "value=",      "value=1.01",
                                      "value=2",   "value=-1",   "value=nan",   "value=1e-1",
                                      "value=.",   "value=0x1",  "value=0.5 ",  "value=0,5",
                                      "value=inf", "value=.5.5", "other=0.5",   "value=+0.5",
                                      "xvalue=.5", "VALUE=0.5",  "value=0.5%00"};
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
    assert_int_equal(post_threshold(HOST, "value=0"), 200);
    assert_threshold(0);
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

/* A stream that is being read, and the text of it so far. */
typedef struct reader {
    int fd;
    size_t n;
    char text[65536];
} reader;

static reader *open_reader(const char *path) {
    reader *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->fd = client_get(port, path, 0);
    assert_true(r->fd >= 0);
    return r;
}

static void read_until(reader *r, const char *word) {
    if (!client_read_until(r->fd, r->text, &r->n, sizeof r->text, word))
        fail_msg("no '%s' in: %s", word, r->text);
}

static void close_reader(reader *r) {
    close(r->fd);
    free(r);
}

static int count_words(const char *text, const char *word) {
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static bool clients_are(int n) {
    char line[64];
    snprintf(line, sizeof line, "\ndarknet_http_clients %d\n", n + 1); /* and the one that asks */
    return strstr(get("/metrics")->body, line);
}

static void wait_for_clients(int n) {
    for (int tries = 0; !clients_are(n); tries++) {
        if (tries == 200)
            fail_msg("not %d clients: %s", n, get("/metrics")->body);
        nap(20);
    }
}

static void test_pictures(void **state) {
    (void)state;
    assert_false(http_server_wants_pictures(server));
    reader *r = open_reader("/stream.mjpg");
    read_until(r, "--frame\r\n");
    assert_non_null(strstr(r->text, "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n"));
    assert_non_null(strstr(r->text, "Cache-Control: no-store\r\n"));
    assert_true(http_server_wants_pictures(server));
    publish(1, 100);
    /* A picture is shown when the next one's delimiter has come: it is not waited for. */
    read_until(r, "Content-Type: image/jpeg\r\nContent-Length: 100\r\n\r\n<picture 1>");
    assert_null(strstr(r->text, "<picture 2>"));
    publish(2, 0);
    publish(3, 200);
    read_until(r, "Content-Length: 200\r\n\r\n<picture 3>");
    /* Who comes later gets the newest. */
    reader *later = open_reader("/stream.mjpg");
    publish(4, 0);
    read_until(later, "<picture 3>");
    close_reader(later);
    close_reader(r);
    wait_for_clients(0);
    assert_false(http_server_wants_pictures(server));
    /* Nobody looked: it would be an old one. */
    publish(5, 0);
    r = open_reader("/stream.mjpg");
    read_until(r, "--frame\r\n");
    nap(50);
    publish(6, 100);
    read_until(r, "<picture 6>");
    assert_null(strstr(r->text, "<picture 3>"));
    close_reader(r);
}

static void test_events(void **state) {
    (void)state;
    reader *r = open_reader("/events");
    read_until(r, "\"source\":\"starting\"");
    assert_non_null(strstr(r->text, "Content-Type: text/event-stream; charset=utf-8\r\n"));
    assert_non_null(strstr(r->text, "retry: 1000\n\n"));
    assert_non_null(strstr(r->text, "\"detections\":null}\n\n"));
    publish(2, 0);
    read_until(r, "data: {\"frame\":2,\"statistics\":{\"frames\":2,\"dropped\":3,\"fps\":30.5,"
                  "\"latency_median_ms\":12,\"latency_95_ms\":20,\"network_ms\":6,"
                  "\"source\":\"playing \\\"it\\\"\",\"clients\":1,\"threshold\":0.25},"
                  "\"detections\":{\"frame_id\":2, \"objects\":[]}}\n\n");
    /* Half a second of 200 frames per second. */
    const int before = count_words(r->text, "data: ");
    const double begin = seconds_now();
    for (unsigned long i = 3; i < 103; i++) {
        publish(i, 0);
        nap(5);
    }
    read_until(r, "{\"frame\":102,");
    assert_in_range(count_words(r->text, "data: ") - before, 3,
                    (int)(15 * (seconds_now() - begin)) + 2);
    /* Nothing new: the last one again, so that pages see that the server lives. */
    const int last = count_words(r->text, "{\"frame\":102,");
    const double start = seconds_now();
    while (count_words(r->text, "{\"frame\":102,") == last && seconds_now() - start < 4) {
        const ssize_t got = client_read(r->fd, r->text + r->n, sizeof r->text - r->n - 1, 3000);
        assert_true(got > 0);
        r->n += (size_t)got;
    }
    assert_true(seconds_now() - start > 1);
    close_reader(r);
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

/* A frame reaches a client without the waits that small packets may meet. */
static void test_latency(void **state) {
    (void)state;
    reader *r = open_reader("/stream.mjpg");
    double worst = 0;
    int slow = 0;
    for (unsigned long i = 0; i < 20; i++) {
        char word[32];
        nap(10);
        const double start = seconds_now();
        publish(i, 30000);
        snprintf(word, sizeof word, "<picture %lu>", i);
        while (!memmem(r->text, r->n, word, strlen(word))) {
            r->n = 0;
            const ssize_t got = client_read(r->fd, r->text, sizeof r->text - 1, 1000);
            assert_true(got > 0);
            r->n = (size_t)got;
        }
        const double seconds = seconds_now() - start;
        worst = fmax(worst, seconds);
        slow += seconds > .02;
    }
    print_message("publish to client: worst %.2f ms, %d of 20 slow\n", 1000 * worst, slow);
    assert_in_range(slow, 0, 10);
    close_reader(r);
}

static void test_forks_pictures(void **state) {
    (void)state;
    reader *r = open_reader("/any/path?at=all");
    read_until(r, "--frame\r\n");
    assert_null(strstr(r->text, "Cross-Origin-Resource-Policy"));
    publish(1, 100);
    read_until(r, "<picture 1>");
    assert_status(client_ask(port, "POST", "/threshold", HOST, "value=.5"), 405);
    assert_threshold(.25);
    close_reader(r);
}

static void test_forks_json(void **state) {
    (void)state;
    reader *r = open_reader("/");
    read_until(r, "\r\n\r\n");
    assert_false(http_server_wants_pictures(server));
    publish(1, 100);
    read_until(r, "{\"frame_id\":1, \"objects\":[]}\n");
    publish(2, 100);
    read_until(r, "{\"frame_id\":2, \"objects\":[]}\n");
    close_reader(r);
}

/* HTTP 1.0 knows no chunks: what comes are the bytes themselves. */
static void test_old_client(void **state) {
    (void)state;
    reader r = {.fd = client_connect(port, 0)};
    assert_true(client_send(r.fd, "GET / HTTP/1.0\r\n\r\n"));
    publish(1, 0);
    read_until(&r, "\r\n\r\n{\"frame_id\":1, \"objects\":[]}\n");
    close(r.fd);
}

static void test_too_many(void **state) {
    (void)state;
    int fds[8];
    for (int i = 0; i < 8; i++)
        fds[i] = client_get(port, i % 2 ? "/stream.mjpg" : "/events", 0);
    char text[64] = "";
    for (int i = 0; i < 8; i++) {
        size_t n = 0;
        text[0] = '\0';
        assert_true(client_read_until(fds[i], text, &n, sizeof text, "HTTP/1.1 200"));
    }
    const client_reply *refused = get("/");
    assert_status(refused, 503);
    assert_has(refused, "Retry-After: 5\r\n");
    assert_status(client_ask(port, "POST", "/threshold", HOST, "value=.5"), 503);
    /* One leaves without a word while nothing is published; its place is found to be free. */
    close(fds[1]);
    for (int tries = 0; get("/")->status != 200; tries++) {
        assert_true(tries < 150);
        nap(20);
    }
    for (int i = 0; i < 8; i++)
        if (i != 1)
            close(fds[i]);
    wait_for_clients(0);
}

/* Clients that say nothing, or half of something, lose their place. */
static void test_silent_clients(void **state) {
    (void)state;
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = client_connect(port, 0);
    client_send(fds[1], "GET / HT");
    client_send(fds[2],
                "POST /threshold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nva");
    wait_for_clients(3);
    wait_for_clients(0);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* Publishing goes on at its pace past clients that read nothing; they are dropped. */
static void test_stalled_clients(void **state) {
    (void)state;
    int fds[4];
    for (int i = 0; i < 4; i++)
        fds[i] = client_get(port, i % 2 ? "/stream.mjpg" : "/events", 4096);
    reader *r = open_reader("/stream.mjpg");
    read_until(r, "--frame\r\n");
    wait_for_clients(5);
    double worst = 0;
    const double start = seconds_now();
    for (unsigned long i = 0; !clients_are(3) && seconds_now() - start < 5; i++) {
        const double before = seconds_now();
        publish(i, 200000);
        worst = fmax(worst, seconds_now() - before);
        char discarded[65536];
        while (client_read(r->fd, discarded, sizeof discarded, 2) > 0)
            ;
    }
    /* Events are small: those two still find room in buffers. */
    assert_true(clients_are(3));
    print_message("longest time to publish: %.2f ms\n", 1000 * worst);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close_reader(r);
}

/* A slow client has gaps, not a growing delay: when it reads on, what comes is soon the newest. */
static void test_slow_client(void **state) {
    (void)state;
    enum { FRAMES = 60, JPEG = 100000 };
    const int fd = client_get(port, "/stream.mjpg", 16384);
    static char text[65536];
    size_t n = 0;
    assert_true(client_read_until(fd, text, &n, sizeof text, "--frame\r\n"));
    for (unsigned long i = 1; i <= FRAMES; i++) {
        publish(i, JPEG);
        nap(5);
    }
    int pictures = 0;
    bool last = false;
    for (ssize_t got; !last && (got = client_read(fd, text, sizeof text - 1, 500)) > 0;) {
        pictures += memmem(text, (size_t)got, "<picture ", 9) != NULL;
        last = memmem(text, (size_t)got, "<picture 60>", 12) != NULL;
    }
    assert_true(last);
    assert_in_range(pictures, 2, 8);
    close(fd);
}

static void test_stop_with_clients(void **state) {
    (void)state;
    int fds[6];
    for (int i = 0; i < 6; i++)
        fds[i] = i == 5 ? client_connect(port, 0)
                        : client_get(port, i % 2 ? "/stream.mjpg" : "/events", 4096);
    for (unsigned long i = 0; i < 20; i++) {
        publish(i, 100000);
        nap(2);
    }
    const double start = seconds_now();
    http_server_stop(server);
    server = NULL;
    assert_true(seconds_now() - start < 1);
    char discarded[65536];
    for (int i = 0; i < 6; i++) {
        ssize_t got;
        while ((got = client_read(fds[i], discarded, sizeof discarded, 1000)) > 0)
            ;
        close(fds[i]);
    }
    assert_int_equal(client_connect(port, 0), -1);
    http_server_stop(NULL);
}

/* Frames use the memory of those before. */
static void test_steady_memory(void **state) {
    (void)state;
    reader *r = open_reader("/stream.mjpg");
    size_t after_some = 0;
    for (unsigned long i = 0; i < 300; i++) {
        publish(i, 50000 + 1000 * (i % 7));
        char discarded[65536];
        while (client_read(r->fd, discarded, sizeof discarded, 1) > 0)
            ;
        if (i == 100)
            after_some = mallinfo2().uordblks;
    }
    assert_in_range(mallinfo2().uordblks, 0, after_some + 8192);
    close_reader(r);
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

#define WITH(start_server, test) cmocka_unit_test_setup_teardown(test, start_server, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(start_page, test_page),
        WITH(start_page, test_methods_and_paths),
        WITH(start_page, test_detections_and_metrics),
        WITH(start_page, test_threshold_values),
        WITH(start_page, test_threshold_from_elsewhere),
        cmocka_unit_test(test_hosts),
        WITH(start_page, test_pictures),
        WITH(start_page, test_events),
        WITH(start_page, test_numbers),
        WITH(start_page, test_latency),
        WITH(start_pictures, test_forks_pictures),
        WITH(start_json, test_forks_json),
        WITH(start_json, test_old_client),
        WITH(start_page, test_too_many),
        WITH(start_page, test_silent_clients),
        WITH(start_page, test_stalled_clients),
        WITH(start_page, test_slow_client),
        WITH(start_page, test_stop_with_clients),
        WITH(start_page, test_steady_memory),
        WITH(start_page, test_no_start),
        cmocka_unit_test(test_start_without_memory),
        WITH(start_page, test_publish_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
