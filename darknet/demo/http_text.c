#include "demo/http_text.h"

#include "results/json_text.h"

#include <math.h>
#include <string.h>

/* JSON has no word for what is not a number. */
static void put_number(FILE *out, const char *name, double x) {
    fprintf(out, "\"%s\":", name);
    if (isfinite(x))
        fprintf(out, "%.6g", x);
    else
        fputs("null", out);
}

static void put_detections(FILE *out, const char *json) {
    /* Outside of strings a line's end is a space, and inside JSON allows none. */
    for (size_t n; *json; json += n) {
        n = strcspn(json, "\n\r");
        fwrite(json, 1, n, out);
        if (json[n]) {
            putc(' ', out);
            n++;
        }
    }
}

void http_put_event(FILE *out, const http_frame *frame, const http_state *state) {
    const demo_statistics *s = &frame->statistics;
    fprintf(out, "data: {\"frame\":%lu,\"statistics\":{\"frames\":%lu,\"dropped\":%lu,",
            frame->number, s->frames, s->dropped);
    put_number(out, "fps", s->fps);
    putc(',', out);
    put_number(out, "latency_median_ms", s->latency_median);
    putc(',', out);
    put_number(out, "latency_95_ms", s->latency_95);
    putc(',', out);
    put_number(out, "network_ms", s->network_ms);
    fputs(",\"source\":", out);
    json_put_string(out, s->source_state ? s->source_state : "");
    fprintf(out, ",\"clients\":%d,", state->clients);
    put_number(out, "threshold", state->threshold);
    fputs("},\"detections\":", out);
    put_detections(out, frame->detections ? frame->detections : "null");
    fputs("}\n\n", out);
}

void http_put_line(FILE *out, const http_frame *frame) {
    if (!frame->detections)
        return;
    put_detections(out, frame->detections);
    putc('\n', out);
}

static void put_head(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP darknet_%s %s\n# TYPE darknet_%s %s\n", name, help, name, type);
}

static void put_gauge(FILE *out, const char *name, const char *help, double x) {
    put_head(out, name, "gauge", help);
    fprintf(out, "darknet_%s %.9g\n", name, x);
}

static void put_counter(FILE *out, const char *name, const char *help, unsigned long n) {
    put_head(out, name, "counter", help);
    fprintf(out, "darknet_%s %lu\n", name, n);
}

bool http_is_playing(const demo_statistics *s) {
    static const char playing[] = "playing";
    return s->source_state && strncmp(s->source_state, playing, sizeof playing - 1) == 0;
}

void http_put_metrics(FILE *out, const demo_statistics *s, const http_state *state) {
    put_counter(out, "frames_total", "Frames with a result.", s->frames);
    put_counter(out, "dropped_frames_total", "Frames that the source gave and nobody looked at.",
                s->dropped);
    put_gauge(out, "frames_per_second", "Results per second, over the last seconds.", s->fps);
    put_head(out, "latency_seconds", "summary", "From capture to result, over the last seconds.");
    fprintf(out,
            "darknet_latency_seconds{quantile=\"0.5\"} %.9g\n"
            "darknet_latency_seconds{quantile=\"0.95\"} %.9g\n",
            s->latency_median / 1000, s->latency_95 / 1000);
    put_gauge(out, "network_seconds", "Of the network alone, median.", s->network_ms / 1000);
    put_gauge(out, "source_playing", "1 while frames come, 0 in an outage or a pause.",
              http_is_playing(s));
    put_gauge(out, "http_clients", "Connections to this server.", state->clients);
    if (!isnan(state->threshold))
        put_gauge(out, "threshold", "Detections below it are not shown.", state->threshold);
}
