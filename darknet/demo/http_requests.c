#include "demo/http_requests.h"

#include "base/alloc.h"
#include "demo/http_guard.h"
#include "demo/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct request {
    http_site *site;
    struct MHD_Connection *connection;
    const char *path;
    bool is_get, is_head, is_post;
    char body[256]; /* of a POST, with a zero behind it */
    size_t body_size;
    bool body_too_long;
} request;

typedef enum MHD_Result answer_fn(request *r);

static bool has_threshold(const http_site *site) {
    return site->findings == DEMO_OBJECTS;
}

http_state http_site_state(http_site *site) {
    return (http_state){has_threshold(site) ? atomic_load(&site->threshold) : NAN,
                        atomic_load(&site->connections)};
}

/* Scripts, styles, pictures and events from here only, and nothing of this in others' pages. */
static const char *const headers[][2] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
};

/* Sends and destroys a response, which may be NULL: then the connection is closed. */
static enum MHD_Result send_response(const request *r, unsigned status, const char *type,
                                     struct MHD_Response *response) {
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    /* What the forks' ports give is for other pages, too. */
    if (r->site->content == HTTP_PAGE)
        MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    const enum MHD_Result sent = MHD_queue_response(r->connection, status, response);
    MHD_destroy_response(response);
    return sent;
}

static enum MHD_Result send_text(const request *r, unsigned status, const char *type,
                                 const char *text, size_t n) {
    return send_response(r, status, type,
                         MHD_create_response_from_buffer(n, (void *)text, MHD_RESPMEM_MUST_COPY));
}

static struct MHD_Response *message_response(const char *message) {
    return MHD_create_response_from_buffer(strlen(message), (void *)message,
                                           MHD_RESPMEM_PERSISTENT);
}

/* message is a constant. */
static enum MHD_Result send_message(const request *r, unsigned status, const char *message) {
    return send_response(r, status, "text/plain; charset=utf-8", message_response(message));
}

static enum MHD_Result send_file(const request *r, const char *type, const char *begin,
                                 const char *end) {
    return send_response(r, MHD_HTTP_OK, type,
                         MHD_create_response_from_buffer((size_t)(end - begin), (void *)begin,
                                                         MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result send_page(request *r) {
    const char *page = r->site->page;
    return send_file(r, "text/html; charset=utf-8", page, page + strlen(page));
}

static enum MHD_Result send_style(request *r) {
    return send_file(r, "text/css; charset=utf-8", page_css, page_css_end);
}

static enum MHD_Result send_script(request *r) {
    return send_file(r, "text/javascript; charset=utf-8", page_js, page_js_end);
}

static enum MHD_Result send_stream(request *r, const char *type, frame_view view) {
    /* A HEAD request is no client. To chunks, libmicrohttpd would send it the end. */
    return send_response(r, MHD_HTTP_OK, type,
                         r->is_head ? message_response("")
                                    : http_streams_answer(r->site->streams, r->connection, view));
}

static enum MHD_Result send_pictures(request *r) {
    return send_stream(r, "multipart/x-mixed-replace; boundary=" FRAME_BOUNDARY, FRAME_PICTURE);
}

static enum MHD_Result send_events(request *r) {
    return send_stream(r, "text/event-stream; charset=utf-8", FRAME_EVENT);
}

static enum MHD_Result send_lines(request *r) {
    return send_stream(r, "application/x-ndjson; charset=utf-8", FRAME_LINE);
}

static enum MHD_Result send_detections(request *r) {
    static const char type[] = "application/json; charset=utf-8";
    frame_board *board = r->site->board;
    shared_frame *frame = frame_board_take(board, FRAME_LINE);
    if (!frame)
        return send_text(r, MHD_HTTP_OK, type, "{}\n", 3);
    const frame_bytes *line = &frame->views[FRAME_LINE];
    const enum MHD_Result sent = send_text(r, MHD_HTTP_OK, type, line->at, line->n);
    frame_board_give_back(board, frame);
    return sent;
}

static enum MHD_Result send_printed(request *r, const char *type,
                                    void (*put)(FILE *out, http_site *site)) {
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return MHD_NO;
    const locale_t before = uselocale(r->site->plain);
    put(out, r->site);
    uselocale(before);
    const bool failed = ferror(out);
    const bool complete = fclose(out) == 0 && !failed;
    const enum MHD_Result sent = complete ? send_text(r, MHD_HTTP_OK, type, text, n) : MHD_NO;
    free(text);
    return sent;
}

static void put_metrics(FILE *out, http_site *site) {
    const demo_statistics statistics = frame_board_statistics(site->board);
    const http_state state = http_site_state(site);
    http_put_metrics(out, &statistics, &state);
}

static enum MHD_Result send_metrics(request *r) {
    return send_printed(r, "text/plain; version=0.0.4; charset=utf-8", put_metrics);
}

static void put_threshold(FILE *out, http_site *site) {
    fprintf(out, "{\"threshold\":%.6g}\n", http_site_state(site).threshold);
}

/* Below, nearly every box of a network counts, and the demo would do nothing but draw. The page's
   slider ends there, too. */
static const double least_threshold = .01;

/* The value of a key in a form's body, decoded in place; NULL if there is none. */
static char *form_value(char *body, const char *key) {
    const size_t n = strlen(key);
    char *rest = NULL;
    for (char *pair = strtok_r(body, "&", &rest); pair; pair = strtok_r(NULL, "&", &rest))
        if (strncmp(pair, key, n) == 0 && pair[n] == '=') {
            MHD_http_unescape(pair + n + 1);
            return pair + n + 1;
        }
    return NULL;
}

/* Digits and a point, from least_threshold to 1. No locale takes part. */
static bool read_threshold(const char *text, float *threshold) {
    const size_t whole = strspn(text, "0123456789");
    const size_t part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    if (whole + part == 0 || text[whole + (text[whole] == '.') + part])
        return false;
    double value = 0, digit = .1;
    for (size_t i = 0; i < whole; i++)
        value = 10 * value + (text[i] - '0');
    for (size_t i = 0; i < part; i++, digit /= 10)
        value += digit * (text[whole + 1 + i] - '0');
    *threshold = (float)value;
    return value >= least_threshold && value <= 1;
}

static enum MHD_Result change_threshold(request *r) {
    float threshold;
    if (r->body_too_long)
        return send_message(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too long\n");
    const char *value = form_value(r->body, "value");
    if (!value || !read_threshold(value, &threshold))
        return send_message(r, MHD_HTTP_BAD_REQUEST, "value= must be a number from 0.01 to 1\n");
    atomic_store(&r->site->threshold, threshold);
    return send_printed(r, "application/json; charset=utf-8", put_threshold);
}

typedef struct route {
    const char *path;
    answer_fn *get, *post;
} route;

static const route routes[] = {
    {"/", send_page, NULL},           {"/page.css", send_style, NULL},
    {"/page.js", send_script, NULL},  {"/stream.mjpg", send_pictures, NULL},
    {"/events", send_events, NULL},   {"/detections.json", send_detections, NULL},
    {"/metrics", send_metrics, NULL}, {"/threshold", NULL, change_threshold},
};

static const route *find_route(const request *r) {
    static const route pictures = {NULL, send_pictures, NULL}, lines = {NULL, send_lines, NULL};
    if (r->site->content == HTTP_PICTURES)
        return &pictures;
    if (r->site->content == HTTP_JSON)
        return &lines;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(r->path, routes[i].path) == 0)
            return routes[i].post != change_threshold || has_threshold(r->site) ? &routes[i] : NULL;
    return NULL;
}

static enum MHD_Result refuse_method(const request *r, const route *at) {
    struct MHD_Response *response = message_response("this method is not for this path\n");
    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, at->get ? "GET, HEAD" : "POST");
    return send_response(r, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", response);
}

static const char *header(const request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static bool is_refused_connection(const request *r) {
    return MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
               ->socket_context != NULL;
}

static enum MHD_Result refuse_connection(const request *r) {
    struct MHD_Response *response = message_response("too many clients\n");
    if (response) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "5");
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return send_response(r, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", response);
}

static enum MHD_Result answer(request *r) {
    const char *host = header(r, MHD_HTTP_HEADER_HOST);
    if (is_refused_connection(r))
        return refuse_connection(r);
    if (!http_host_allowed(host, r->site->bound))
        return send_message(r, MHD_HTTP_FORBIDDEN,
                            "this server answers under its IP address or localhost\n");
    const route *at = find_route(r);
    if (!at)
        return send_message(r, MHD_HTTP_NOT_FOUND, "there is nothing here\n");
    if ((r->is_get || r->is_head) && at->get)
        return at->get(r);
    if (!r->is_post || !at->post)
        return refuse_method(r, at);
    if (!http_same_origin(host, header(r, MHD_HTTP_HEADER_ORIGIN), header(r, "Sec-Fetch-Site")))
        return send_message(r, MHD_HTTP_FORBIDDEN, "not from another origin\n");
    return at->post(r);
}

static void keep_body(request *r, const char *bytes, size_t n) {
    if (n >= sizeof r->body - r->body_size) {
        r->body_too_long = true;
        return;
    }
    memcpy(r->body + r->body_size, bytes, n);
    r->body_size += n;
}

/* Called with the headers, with each piece of the body, and at its end. */
enum MHD_Result http_requests_handle(void *site, struct MHD_Connection *connection,
                                     const char *path, const char *method, const char *version,
                                     const char *body, size_t *body_size, void **request_slot) {
    (void)version;
    request *r = *request_slot;
    if (!r) {
        r = *request_slot = gdrq_alloc(1, sizeof *r);
        if (!r)
            return MHD_NO;
        r->site = site;
        r->connection = connection;
        r->is_get = strcmp(method, MHD_HTTP_METHOD_GET) == 0;
        r->is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
        r->is_post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
        return MHD_YES;
    }
    if (*body_size > 0) {
        keep_body(r, body, *body_size);
        *body_size = 0;
        return MHD_YES;
    }
    r->path = path;
    return answer(r);
}

void http_requests_complete(void *site, struct MHD_Connection *connection, void **request_slot,
                            enum MHD_RequestTerminationCode how) {
    (void)site;
    (void)connection;
    (void)how;
    free(*request_slot);
    *request_slot = NULL;
}

void http_requests_connection(void *user, struct MHD_Connection *connection, void **marked,
                              enum MHD_ConnectionNotificationCode what) {
    http_site *site = user;
    (void)connection;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        if (atomic_load(&site->connections) >= site->most_connections)
            *marked = site;
        else
            atomic_fetch_add(&site->connections, 1);
    } else if (!*marked) {
        atomic_fetch_sub(&site->connections, 1);
    }
}
