/* The streams of the demo's web server, and clients that are slow, silent or gone. */
#include "http_server_test.h"

#include "seconds.h"

#include <malloc.h>
#include <math.h>

static void test_pictures(void **state) {
    (void)state;
    assert_false(http_server_wants_pictures(server));
    reader *r = open_reader("/stream.mjpg");
    read_until(r, "--frame\r\n");
    assert_non_null(strstr(r->text, "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n"));
    assert_non_null(strstr(r->text, "Cache-Control: no-store\r\n"));
    assert_true(pictures_get_wanted());
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

/* A client that reads nothing is no reason to encode: all it got still waits in front of it. */
static void test_stalled_clients_want_no_pictures(void **state) {
    (void)state;
    enum { JPEG = 1 << 20 }; /* more than the buffers on the way hold */
    const int fd = client_get(port, "/stream.mjpg", 4096);
    for (unsigned long i = 1; i <= 8 && pictures_get_wanted(); i++) {
        publish(i, JPEG);
        nap(20);
    }
    nap(50);
    assert_false(http_server_wants_pictures(server));
    static char text[65536];
    while (client_read(fd, text, sizeof text, 200) > 0)
        ;
    assert_true(pictures_get_wanted());
    close(fd);
    wait_for_clients(0);
    assert_false(http_server_wants_pictures(server));
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
    assert_true(http_server_threshold(server) == .25f);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(start_page, test_pictures),
        WITH(start_page, test_events),
        WITH(start_page, test_stalled_clients_want_no_pictures),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
