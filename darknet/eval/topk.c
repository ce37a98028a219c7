#include "eval/topk.h"

#include "base/alloc.h"
#include "base/status.h"
#include "image/picture.h"

#include <math.h>
#include <stdlib.h>

double topk_first(const topk_result *r) {
    return r->images ? (double)r->first / r->images : 0;
}

double topk_among(const topk_result *r) {
    return r->images ? (double)r->among_k / r->images : 0;
}

/* a * b / c, rounded up, for c > 0, but at most `most`. */
static int share(int a, int b, int c, int most) {
    const long long x = ((long long)a * b + c - 1) / c;
    return x < most ? (int)x : most;
}

/*
 * The largest part in the middle with the proportions w : h, up to a pixel that proportions without
 * a common measure cost; a square's part is upstream's.
 */
static gdrq_pixels middle_part(const picture *p, int w, int h) {
    const bool wide = (long long)p->w * h > (long long)p->h * w;
    const int part_w = wide ? share(p->h, w, h, p->w) : p->w;
    const int part_h = wide ? p->h : share(p->w, h, w, p->h);
    const size_t left = (size_t)(p->w - part_w) / 2, top = (size_t)(p->h - part_h) / 2;
    return (gdrq_pixels){p->data + 3 * (top * (size_t)p->w + left), part_w, part_h,
                         3 * (size_t)p->w, GDRQ_BGR};
}

static gdrq_status load_input(const network *net, const char *path, float *input, gdrq_error *err) {
    const size_t n = 3 * (size_t)net->w * net->h;
    picture p;
    gdrq_status status = picture_load(path, &p, err);
    if (status != GDRQ_OK)
        return status;
    unsigned char *codes = gdrq_alloc(n, 1);
    if (codes) {
        const gdrq_pixels part = middle_part(&p, net->w, net->h);
        status = gdrq_letterbox(&part, net->w, net->h, codes, err);
    } else {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%.900s: out of memory", path);
    }
    for (size_t i = 0; i < n && status == GDRQ_OK; i++)
        input[i] = codes[i] / 255.f;
    free(codes);
    picture_free(&p);
    return status;
}

/* The n images behind paths[0], decoded in parallel. Fails with the first bad one's message. */
static gdrq_status load_inputs(const network *net, char *const *paths, int n, float *input,
                               gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    int bad = n;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < n; i++) {
        gdrq_error of_image;
        const gdrq_status loaded =
            load_input(net, paths[i], input + (size_t)i * net->inputs, &of_image);
        if (loaded == GDRQ_OK)
            continue;
#pragma omp critical
        if (i < bad) {
            bad = i;
            status = gdrq_fail(err, loaded, "%s", of_image.message);
        }
    }
    return status;
}

/* How many classes are likelier; -1 if a probability is not finite. */
static int rank_of(const float *p, int n, int class_id) {
    int rank = 0;
    for (int i = 0; i < n; i++) {
        if (!isfinite(p[i]))
            return -1;
        rank += p[i] > p[class_id] || (i < class_id && p[i] == p[class_id]);
    }
    return rank;
}

typedef struct measurement {
    network *net;
    const classified_images *images;
    topk_watch *watch;
    void *user;
    topk_result *result;
} measurement;

static gdrq_status count_image(const measurement *m, float *p, gdrq_error *err) {
    const network *net = m->net;
    topk_result *r = m->result;
    const int i = r->images, class_id = m->images->class_ids[i];
    const char *path = m->images->list.paths[i];
    if (net->hierarchy)
        hierarchy_predictions(p, net->outputs, net->hierarchy, 1, 1);
    const int rank = rank_of(p, net->outputs, class_id);
    if (rank < 0)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "%.800s: the network's output for this image is not finite", path);
    r->images++;
    r->first += rank == 0;
    r->among_k += rank < r->k;
    const topk_step step = {path, class_id, m->images->list.n, p, r};
    if (m->watch && !m->watch(m->user, &step))
        return gdrq_fail(err, GDRQ_ERROR_STATE, "stopped after %d of %d images", r->images,
                         step.total);
    return GDRQ_OK;
}

/* The next n images, n <= net->batch. */
static gdrq_status measure_batch(const measurement *m, int n, float *input, gdrq_error *err) {
    network *net = m->net;
    const int batch = net->batch;
    char *const *paths = m->images->list.paths + m->result->images;
    gdrq_status status = load_inputs(net, paths, n, input, err);
    if (status != GDRQ_OK)
        return status;
    set_batch_network(net, n);
    float *p = network_predict(net, input);
    set_batch_network(net, batch);
    for (int i = 0; i < n && status == GDRQ_OK; i++)
        status = count_image(m, p + (size_t)i * net->outputs, err);
    return status;
}

gdrq_status topk_measure(network *net, const classified_images *images, int k, topk_watch *watch,
                         void *user, topk_result *result, gdrq_error *err) {
    const int total = images->list.n;
    *result = (topk_result){.k = k};
    const measurement m = {net, images, watch, user, result};
    const gdrq_status ready = gdrq_network_ready(net, err);
    if (ready != GDRQ_OK)
        return ready;
    float *input = gdrq_alloc((size_t)net->inputs * net->batch, sizeof *input);
    if (!input)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d images of %d x %d",
                         net->batch, net->w, net->h);
    gdrq_status status = GDRQ_OK;
    while (status == GDRQ_OK && result->images < total) {
        const int left = total - result->images;
        status = measure_batch(&m, left < net->batch ? left : net->batch, input, err);
    }
    free(input);
    return status;
}
