/* A web server to test, and what tests ask of it. */
#ifndef TESTS_HTTP_SERVER_TEST_H
#define TESTS_HTTP_SERVER_TEST_H

#include "demo/http_server.h"

#include "http_client.h"

#include "cmocka_all.h"

#define HOST "Host: localhost\r\n"

static http_server *server;
static int port;

static inline int start_of(http_content content, demo_findings findings) {
    const http_options options = {.content = content,
                                  .findings = findings,
                                  .most_clients = 8,
                                  .timeout = 1,
                                  .title = "cats & <dogs>",
                                  .threshold = .25f};
    gdrq_error err;
    if (http_server_start(&options, &server, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    port = http_server_port(server);
    return 0;
}

static inline int start(http_content content) {
    return start_of(content, DEMO_OBJECTS);
}

static inline int start_page(void **state) {
    (void)state;
    return start(HTTP_PAGE);
}

static inline int start_pictures(void **state) {
    (void)state;
    return start(HTTP_PICTURES);
}

static inline int start_json(void **state) {
    (void)state;
    return start(HTTP_JSON);
}

static inline int stop(void **state) {
    (void)state;
    http_server_stop(server);
    server = NULL;
    return 0;
}

static inline void nap(int milliseconds) {
    usleep(1000 * (unsigned)milliseconds);
}

/* A frame with a picture of some bytes, of which the first tell the number. */
static inline void publish(unsigned long number, size_t jpeg_size) {
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

static inline const client_reply *get(const char *path) {
    return client_ask(port, "GET", path, HOST, "");
}

static inline void assert_status(const client_reply *reply, int status) {
    if (reply->status != status)
        fail_msg("status %d, not %d: %s", reply->status, status, reply->text);
}

static inline void assert_has(const client_reply *reply, const char *header_line) {
    if (!client_reply_has(reply, header_line))
        fail_msg("no '%s' in: %s", header_line, reply->text);
}

/* A stream that is being read, and the text of it so far. */
typedef struct reader {
    int fd;
    size_t n;
    char text[65536];
} reader;

static inline reader *open_reader(const char *path) {
    reader *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->fd = client_get(port, path, 0);
    assert_true(r->fd >= 0);
    return r;
}

static inline void read_until(reader *r, const char *word) {
    if (!client_read_until(r->fd, r->text, &r->n, sizeof r->text, word))
        fail_msg("no '%s' in: %s", word, r->text);
}

static inline void close_reader(reader *r) {
    close(r->fd);
    free(r);
}

/* Whether some client waits for a picture: in a moment, as the server finds out by itself. */
static inline bool pictures_get_wanted(void) {
    for (int tries = 0; !http_server_wants_pictures(server); tries++) {
        if (tries == 100)
            return false;
        nap(5);
    }
    return true;
}

static inline int count_words(const char *text, const char *word) {
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static inline bool clients_are(int n) {
    char line[64];
    snprintf(line, sizeof line, "\ndarknet_http_clients %d\n", n + 1); /* and the one that asks */
    return strstr(get("/metrics")->body, line);
}

static inline void wait_for_clients(int n) {
    for (int tries = 0; !clients_are(n); tries++) {
        if (tries == 200)
            fail_msg("not %d clients: %s", n, get("/metrics")->body);
        nap(20);
    }
}

#define WITH(start_server, test) cmocka_unit_test_setup_teardown(test, start_server, stop)

#endif
