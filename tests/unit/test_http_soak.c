/*
 * Fifty clients of the demo's web server that connect, read, stall and vanish at random, while
 * frames are published at a steady pace. For SOAK_SECONDS, by default 2.
 */
#include "demo/http_server.h"

#include "http_client.h"
#include "seconds.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cmocka_all.h"

enum { CLIENTS = 50, MOST_CLIENTS = 40, RATE = 200, JPEG = 30000 };

static int port;
static atomic_bool ended;
static atomic_ulong served, refused, pictures;

static unsigned next_random(unsigned *seed) {
    return *seed = *seed * 1664525u + 1013904223u;
}

static int random_below(unsigned *seed, int n) {
    return (int)((next_random(seed) >> 8) % (unsigned)n);
}

static void nap(int milliseconds) {
    usleep(1000 * (unsigned)milliseconds);
}

/* Without a word: the server's next packet is answered with a reset. */
static void vanish(int fd) {
    const struct linger at_once = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* Reads for some time, `most` bytes at a time. */
static void read_for(int fd, int milliseconds, size_t most, int pause) {
    char text[32768];
    bool first = true;
    const double end = seconds_now() + milliseconds / 1000.;
    while (seconds_now() < end && !atomic_load(&ended)) {
        const ssize_t n = client_read(fd, text, most, 50);
        if (n == 0)
            return;
        if (n < 0)
            continue;
        if (first && n > 12)
            atomic_fetch_add(memcmp(text, "HTTP/1.1 503", 12) == 0 ? &refused : &served, 1);
        first = false;
        if (memmem(text, (size_t)n, "image/jpeg", 10))
            atomic_fetch_add(&pictures, 1);
        if (pause > 0)
            nap(pause);
    }
}

static const char *random_request(unsigned *seed) {
    static const char *const requests[] = {
        "GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /stream.mjpg HTTP/1.0\r\n\r\n",
        "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /page.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "POST /threshold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nvalue=0.5",
        "POST /threshold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90\r\n\r\nvalue=0.5",
        "HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /stream.mjpg HTT",
        "\r\n\r\n\x01\x02 nonsense \r\n\r\n",
        "",
    };
    return requests[random_below(seed, sizeof requests / sizeof *requests)];
}

static void visit(unsigned *seed) {
    const int fd = client_connect(port, random_below(seed, 2) ? 4096 : 0);
    if (fd < 0)
        return;
    if (client_send(fd, random_request(seed))) {
        const int milliseconds = random_below(seed, 400);
        switch (random_below(seed, 4)) {
        case 0:
            read_for(fd, milliseconds, 32768, 0);
            break;
        case 1:
            read_for(fd, milliseconds, 500, 5);
            break;
        case 2: /* reads nothing */
            nap(milliseconds);
            break;
        default: /* is gone */
            break;
        }
    }
    if (random_below(seed, 2))
        vanish(fd);
    close(fd);
}

static void *run_client(void *user) {
    unsigned seed = *(const unsigned *)user;
    while (!atomic_load(&ended)) {
        visit(&seed);
        nap(random_below(&seed, 30));
    }
    return NULL;
}

typedef struct pace {
    unsigned long frames;
    double seconds, longest; /* of a call that publishes */
} pace;

static pace publish_for(http_server *server, double seconds) {
    static unsigned char jpeg[JPEG];
    pace p = {0};
    const double start = seconds_now();
    for (double now = start; now - start < seconds; now = seconds_now()) {
        const http_frame frame = {.number = ++p.frames,
                                  .jpeg = http_server_wants_pictures(server) ? jpeg : NULL,
                                  .jpeg_size = sizeof jpeg,
                                  .detections = "{\"objects\":[]}",
                                  .statistics = {.source_state = "playing"}};
        http_server_publish(server, &frame);
        p.longest = fmax(p.longest, seconds_now() - now);
        const double wait = start + (double)p.frames / RATE - seconds_now();
        if (wait > 0)
            usleep((unsigned)(1e6 * wait));
    }
    p.seconds = seconds_now() - start;
    return p;
}

static int open_files(void) {
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void test_soak(void **state) {
    (void)state;
    const char *given = getenv("SOAK_SECONDS");
    const double seconds = given ? atof(given) : 2;
    const int files = open_files();
    const http_options options = {.most_clients = MOST_CLIENTS, .timeout = 1, .threshold = .25f};
    http_server *server;
    gdrq_error err;
    assert_int_equal(http_server_start(&options, &server, &err), GDRQ_OK);
    port = http_server_port(server);
    pthread_t clients[CLIENTS];
    unsigned seeds[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++) {
        seeds[i] = 7 * i + 1;
        assert_int_equal(pthread_create(&clients[i], NULL, run_client, &seeds[i]), 0);
    }
    const pace p = publish_for(server, seconds);
    atomic_store(&ended, true);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    print_message("%.1f frames/s of %d; longest time to publish %.2f ms; answers: %lu, refusals: "
                  "%lu, pictures: %lu\n",
                  (double)p.frames / p.seconds, RATE, 1000 * p.longest, atomic_load(&served),
                  atomic_load(&refused), atomic_load(&pictures));
    assert_true(atomic_load(&served) > 0);
    assert_true(atomic_load(&pictures) > 0);
    /* valgrind and a busy machine have a pace of their own. */
    if (!getenv("TEST_QUICK"))
        assert_true((double)p.frames > .5 * RATE * p.seconds);
    /* All are gone, and their places are free again. */
    const client_reply *metrics;
    for (int tries = 0;; tries++) {
        metrics = client_ask(port, "GET", "/metrics", "Host: localhost\r\n", "");
        if (strstr(metrics->body, "\ndarknet_http_clients 1\n"))
            break;
        if (tries == 300)
            fail_msg("clients are left: %s", metrics->text);
        nap(20);
    }
    assert_false(http_server_wants_pictures(server));
    http_server_stop(server);
    assert_int_equal(open_files(), files);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_soak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
