#include "eval/anchors.h"

#include "base/alloc.h"
#include "base/status.h"
#include "train/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* The mean IoU has many local optima where sizes are few, and then starts cost little. */
    FEWEST_STARTS = 10,
    MOST_STARTS = 200,
    MOST_FEW_SIZES = 2000,
    WORK_OF_ALL_STARTS = 20000, /* sizes times anchors times starts */
    MOST_ROUNDS = 200,          /* of k-means; it ends where no size changes its anchor */
    MOST_SWEEPS = 100,          /* over all sides of all anchors */
    PARALLEL_FROM = 4096,       /* sizes */
};

/* How far a side is moved, relative to its length: from the first to the last, halved each time
 * that nothing improves. */
static const float first_move = .5f, last_move = .0005f;

typedef struct fit {
    const box_size *sizes;
    size_t n;
    int k;
    int *nearest;         /* [n] */
    float *iou;           /* [n] with the nearest anchor */
    double *weight;       /* [n] for drawing a start */
    box_size *anchors;    /* [k] of the start under way */
    box_size *best_round; /* [k] of k-means */
    double *sums;         /* [3 * k]: widths, heights, members */
} fit;

float box_size_iou(box_size a, box_size b) {
    const float intersection = fminf(a.w, b.w) * fminf(a.h, b.h);
    return intersection / (a.w * a.h + b.w * b.h - intersection);
}

int anchors_nearest(box_size size, const box_size *anchors, int k, float *iou) {
    int best = 0;
    float most = -1;
    for (int j = 0; j < k; j++) {
        const float with = box_size_iou(size, anchors[j]);
        if (with > most) {
            most = with;
            best = j;
        }
    }
    if (iou)
        *iou = most;
    return best;
}

/* Summed in order, so that the number of threads does not matter. */
static double mean_of(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

double anchors_mean_iou(const box_size *sizes, size_t n, const box_size *anchors, int k) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float iou;
        anchors_nearest(sizes[i], anchors, k, &iou);
        sum += iou;
    }
    return sum / (double)n;
}

/* Whether any size changed its anchor. */
static bool assign(fit *f) {
    int changed = 0;
#pragma omp parallel for reduction(| : changed) if (f->n >= PARALLEL_FROM)
    for (size_t i = 0; i < f->n; i++) {
        const int nearest = anchors_nearest(f->sizes[i], f->anchors, f->k, &f->iou[i]);
        changed |= nearest != f->nearest[i];
        f->nearest[i] = nearest;
    }
    return changed;
}

/* k-means++: each next anchor is a size, drawn by the square of its distance from those before. */
static void draw_start(fit *f, random_stream *random) {
    f->anchors[0] = f->sizes[random_next(random) % f->n];
    for (int j = 1; j < f->k; j++) {
        double total = 0;
        for (size_t i = 0; i < f->n; i++) {
            const double distance = 1 - box_size_iou(f->sizes[i], f->anchors[j - 1]);
            const double square = distance * distance;
            f->weight[i] = j == 1 ? square : fmin(f->weight[i], square);
            total += f->weight[i];
        }
        double left = total * (double)(random_next(random) >> 11) * 0x1p-53;
        size_t chosen = 0;
        while (chosen + 1 < f->n && (left -= f->weight[chosen]) >= 0)
            chosen++;
        f->anchors[j] = f->sizes[chosen];
    }
}

static size_t worst_fitted(const fit *f) {
    size_t worst = 0;
    for (size_t i = 1; i < f->n; i++)
        if (f->iou[i] < f->iou[worst])
            worst = i;
    return worst;
}

/* Each anchor becomes the mean of its sizes; one without any goes where the fit is worst. */
static void move_to_means(fit *f) {
    memset(f->sums, 0, 3 * (size_t)f->k * sizeof *f->sums);
    for (size_t i = 0; i < f->n; i++) {
        double *sum = f->sums + 3 * f->nearest[i];
        sum[0] += f->sizes[i].w;
        sum[1] += f->sizes[i].h;
        sum[2]++;
    }
    for (int j = 0; j < f->k; j++) {
        const double *sum = f->sums + 3 * j;
        if (sum[2] > 0) {
            f->anchors[j] = (box_size){(float)(sum[0] / sum[2]), (float)(sum[1] / sum[2])};
        } else {
            const size_t worst = worst_fitted(f);
            f->anchors[j] = f->sizes[worst];
            f->iou[worst] = 1; /* taken: another one without sizes goes elsewhere */
        }
    }
}

/* Returns the mean IoU of the anchors that it leaves: the best of all rounds, since the means need
 * not raise it. */
static double run_k_means(fit *f) {
    double best = -1;
    memset(f->nearest, -1, f->n * sizeof *f->nearest);
    for (int round = 0; round < MOST_ROUNDS; round++) {
        const bool changed = assign(f);
        const double mean = mean_of(f->iou, f->n);
        if (mean > best) {
            best = mean;
            memcpy(f->best_round, f->anchors, (size_t)f->k * sizeof *f->anchors);
        }
        if (!changed)
            break;
        move_to_means(f);
    }
    memcpy(f->anchors, f->best_round, (size_t)f->k * sizeof *f->anchors);
    return best;
}

/* f->iou becomes each size's IoU with the nearest of the anchors but j. */
static void fit_without(fit *f, int j) {
#pragma omp parallel for if (f->n >= PARALLEL_FROM)
    for (size_t i = 0; i < f->n; i++) {
        float most = 0;
        for (int other = 0; other < f->k; other++)
            if (other != j)
                most = fmaxf(most, box_size_iou(f->sizes[i], f->anchors[other]));
        f->iou[i] = most;
    }
}

static double mean_iou_with(const fit *f, box_size anchor) {
    double sum = 0;
    for (size_t i = 0; i < f->n; i++)
        sum += fmaxf(f->iou[i], box_size_iou(f->sizes[i], anchor));
    return sum / (double)f->n;
}

/* Tries anchor j wider, narrower, higher, lower and combinations of them; whether that raised the
 * mean IoU. */
static bool move_sides(fit *f, int j, float move, double *mean) {
    const float factors[3] = {1 / (1 + move), 1, 1 + move};
    bool better = false;
    fit_without(f, j);
    for (int t = 0; t < 9; t++) {
        const box_size moved = {f->anchors[j].w * factors[t % 3], f->anchors[j].h * factors[t / 3]};
        const double with = mean_iou_with(f, moved);
        if (with <= *mean)
            continue;
        *mean = with;
        f->anchors[j] = moved;
        better = true;
    }
    return better;
}

static void polish(fit *f, double *mean) {
    float move = first_move;
    for (int sweep = 0; sweep < MOST_SWEEPS && move >= last_move; sweep++) {
        bool better = false;
        for (int j = 0; j < f->k; j++)
            better |= move_sides(f, j, move, mean);
        if (!better)
            move /= 2;
    }
}

static void keep_if_better(const fit *f, double mean, box_size *best, double *best_mean) {
    if (mean <= *best_mean)
        return;
    *best_mean = mean;
    memcpy(best, f->anchors, (size_t)f->k * sizeof *best);
}

/* Of many sizes only the best start's anchors are polished, which takes longer than k-means. Of few
 * sizes all are, and every other start's sizes themselves instead of their k-means. */
static void search(fit *f, uint64_t seed, box_size *best) {
    const bool few = f->n <= MOST_FEW_SIZES;
    const size_t starts = WORK_OF_ALL_STARTS / (f->n * (size_t)f->k);
    const uint64_t n = !few || starts < FEWEST_STARTS ? FEWEST_STARTS
                       : starts > MOST_STARTS         ? MOST_STARTS
                                                      : starts;
    double best_mean = -1;
    for (uint64_t start = 0; start < n; start++) {
        random_stream random = random_start(seed, start);
        draw_start(f, &random);
        double mean =
            few && start % 2 ? anchors_mean_iou(f->sizes, f->n, f->anchors, f->k) : run_k_means(f);
        if (few)
            polish(f, &mean);
        keep_if_better(f, mean, best, &best_mean);
    }
    if (few)
        return;
    memcpy(f->anchors, best, (size_t)f->k * sizeof *best);
    polish(f, &best_mean);
    memcpy(best, f->anchors, (size_t)f->k * sizeof *best);
}

static int compare_areas(const void *pa, const void *pb) {
    const box_size *a = pa, *b = pb;
    const float x = a->w * a->h, y = b->w * b->h;
    if (x != y)
        return x < y ? -1 : 1;
    return a->w < b->w ? -1 : a->w > b->w;
}

static gdrq_status check(const box_size *sizes, size_t n, int k, gdrq_error *err) {
    if (k < 1 || k > ANCHORS_MOST)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%d anchors: there may be 1 to %d", k,
                         ANCHORS_MOST);
    if (n < (size_t)k)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%zu boxes are too few for %d anchors", n, k);
    for (size_t i = 0; i < n; i++)
        if (!(sizes[i].w > 0 && sizes[i].h > 0 && isfinite(sizes[i].w) && isfinite(sizes[i].h)))
            return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "box %zu: %g x %g is no size", i, sizes[i].w,
                             sizes[i].h);
    return GDRQ_OK;
}

static bool fit_make(fit *f, const box_size *sizes, size_t n, int k) {
    *f = (fit){.sizes = sizes, .n = n, .k = k};
    f->nearest = gdrq_alloc(n, sizeof *f->nearest);
    f->iou = gdrq_alloc(n, sizeof *f->iou);
    f->weight = gdrq_alloc(n, sizeof *f->weight);
    f->anchors = gdrq_alloc((size_t)k, sizeof *f->anchors);
    f->best_round = gdrq_alloc((size_t)k, sizeof *f->best_round);
    f->sums = gdrq_alloc((size_t)k, 3 * sizeof *f->sums);
    return f->nearest && f->iou && f->weight && f->anchors && f->best_round && f->sums;
}

static void fit_free(fit *f) {
    free(f->nearest);
    free(f->iou);
    free(f->weight);
    free(f->anchors);
    free(f->best_round);
    free(f->sums);
}

gdrq_status anchors_fit(const box_size *sizes, size_t n, int k, uint64_t seed, box_size *anchors,
                        gdrq_error *err) {
    fit f;
    gdrq_status status = check(sizes, n, k, err);
    if (status != GDRQ_OK)
        return status;
    if (fit_make(&f, sizes, n, k)) {
        search(&f, seed, anchors);
        qsort(anchors, (size_t)k, sizeof *anchors, compare_areas);
    } else {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu boxes", n);
    }
    fit_free(&f);
    return status;
}
