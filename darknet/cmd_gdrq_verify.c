#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "commands.h"
#include "detect.h"
#include "eval/output_difference.h"
#include "image/picture_paths.h"
#include "report.h"
#include "task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Boxes of the two networks are one object if they agree on the class and overlap so much. */
static const float same_object_iou = .9f;
/* The share of codes that must be equal where float sums can round, as 8-bit ones do. */
static const double least_equal = .9999;
/* What that rounding may do to an output, in parts of the layer's largest. */
static const double rounding = 1e-4;
/*
 * And what may come of it at the network's end, where codes that it changed have changed others:
 * the differences' root mean square in parts of the outputs' own. A network that is another one is
 * at .5 and more.
 */
static const double rounding_at_end = .2;

typedef struct verification {
    network *trained, *folded;
    network *plain; /* the folded one in portable C, each tensor by itself, or NULL */
    gdrq_layer_match *matches;
    float thresh;
    output_difference outputs;          /* of the networks, as a whole */
    int images, objects, found, common; /* of the trained one, of the folded one, of both */
    int same_class;                     /* images with the same likeliest class */
    size_t pixels, same_pixels;         /* of segmenters: all, and those with the same class */
} verification;

static bool is_object(const detection *d, int class_id, float thresh) {
    return d->prob[class_id] > thresh;
}

static bool has_match(const detections *all, const box *b, int class_id, float thresh) {
    for (int i = 0; i < all->n; i++)
        if (is_object(&all->at[i], class_id, thresh) &&
            box_iou(all->at[i].bbox, *b) >= same_object_iou)
            return true;
    return false;
}

static void count_objects(verification *v, const detections *trained, const detections *folded) {
    const int classes = v->trained->layers[v->trained->n - 1].classes;
    for (int c = 0; c < classes; c++) {
        for (int i = 0; i < folded->n; i++)
            v->found += is_object(&folded->at[i], c, v->thresh);
        for (int i = 0; i < trained->n; i++) {
            const detection *d = &trained->at[i];
            if (!is_object(d, c, v->thresh))
                continue;
            v->objects++;
            v->common += has_match(folded, &d->bbox, c, v->thresh);
        }
    }
}

static gdrq_status detect_both(verification *v, const picture *p, gdrq_error *err) {
    detections trained = {0}, folded = {0};
    gdrq_status status = detect_picture(v->trained, p, v->thresh, .5f, &trained, err);
    if (status == GDRQ_OK)
        status = detect_picture(v->folded, p, v->thresh, .5f, &folded, err);
    if (status == GDRQ_OK)
        count_objects(v, &trained, &folded);
    detections_free(&trained);
    detections_free(&folded);
    return status;
}

static gdrq_status predict_both(verification *v, const picture *p, gdrq_error *err) {
    gdrq_status status = predict_picture(v->trained, p, NULL, err);
    if (status == GDRQ_OK)
        status = predict_picture(v->folded, p, NULL, err);
    if (status == GDRQ_OK)
        v->same_class += max_index(v->trained->output, v->trained->outputs) ==
                         max_index(v->folded->output, v->folded->outputs);
    return status;
}

static void count_pixels(verification *v, const unsigned char *trained, const unsigned char *folded,
                         size_t n) {
    v->pixels += n;
    for (size_t i = 0; i < n; i++)
        v->same_pixels += trained[i] == folded[i];
}

static gdrq_status segment_both(verification *v, const picture *p, gdrq_error *err) {
    const size_t n = (size_t)p->w * (size_t)p->h;
    unsigned char *trained = gdrq_alloc(n, 1), *folded = gdrq_alloc(n, 1);
    gdrq_status status = trained && folded ? predict_both(v, p, err)
                                           : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    if (status == GDRQ_OK)
        status = gdrq_network_classes(v->trained, p->w, p->h, trained, err);
    if (status == GDRQ_OK)
        status = gdrq_network_classes(v->folded, p->w, p->h, folded, err);
    if (status == GDRQ_OK)
        count_pixels(v, trained, folded, n);
    free(trained);
    free(folded);
    return status;
}

/* The network's output, and that of every other head. */
static void compare_results(const network *a, const network *b, output_difference *d) {
    output_difference_add(d, a->output, b->output, a->outputs);
    for (int i = 0; i < a->n; i++) {
        const layer *l = &a->layers[i];
        if (l->type == YOLO || l->type == REGION)
            output_difference_add(d, l->output, b->layers[i].output, l->outputs);
    }
}

/* Whatever the kernels of this processor do at once or in place, the result is the plain one's. */
static gdrq_status check_plain(const verification *v, const char *path, const picture *p,
                               gdrq_error *err) {
    output_difference d = {0};
    if (!v->plain)
        return GDRQ_OK;
    const gdrq_status status = predict_picture(v->plain, p, NULL, err);
    if (status != GDRQ_OK)
        return status;
    compare_results(v->plain, v->folded, &d);
    if (d.largest > 0)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "%.500s: outputs of the kernels for %s and of portable C differ by up to "
                         "%g: this is a bug of ours; -cpumask c is right",
                         path, gdrq_machine_cpu(), d.largest);
    return GDRQ_OK;
}

static gdrq_status verify_picture(verification *v, const char *path, gdrq_error *err) {
    typedef gdrq_status run_both(verification * v, const picture *p, gdrq_error *err);
    static run_both *const ways[] = {
        [TASK_DETECT] = detect_both, [TASK_CLASSIFY] = predict_both, [TASK_SEGMENT] = segment_both};
    picture p;
    gdrq_status status = picture_load(path, &p, err);
    if (status == GDRQ_OK)
        status = ways[task_of(v->trained)](v, &p, err);
    if (status == GDRQ_OK) {
        compare_results(v->trained, v->folded, &v->outputs);
        v->images++;
        status = check_plain(v, path, &p, err);
    }
    if (status == GDRQ_OK)
        status = gdrq_network_compare(v->trained, v->folded, v->matches, err);
    picture_free(&p);
    return status;
}

static double percent(size_t part, size_t all) {
    return 100 * (double)part / (double)all;
}

static bool is_good(const gdrq_layer_match *m) {
    if (m->exact)
        return m->equal_codes == m->codes && m->equal_sums == m->sums &&
               m->equal_values == m->values;
    return m->worst_code <= 1 && (double)m->equal_codes >= least_equal * (double)m->codes &&
           m->worst_value <= rounding * m->largest_value;
}

/* A column: the share of equal ones, or a dash where there are none to compare. */
static void print_share(size_t equal, size_t all) {
    if (all)
        printf("  %10.5f", percent(equal, all));
    else
        printf("  %10s", "-");
}

/* Returns how many layers differ more than they may; *exact: whether no layer may differ at all. */
static int print_layers(const verification *v, bool *exact) {
    int bad = 0;
    *exact = true;
    printf("layer      sums %%    values %%     codes %%  furthest\n");
    for (int i = 0; i < v->trained->n; i++) {
        const gdrq_layer_match *m = &v->matches[i];
        if (!m->folded)
            continue;
        printf("%5d", i);
        print_share(m->equal_sums, m->sums);
        print_share(m->equal_values, m->values);
        print_share(m->equal_codes, m->codes);
        printf("  %8d%s\n", m->worst_code, is_good(m) ? "" : "  DIFFERS");
        bad += !is_good(m);
        *exact &= m->exact;
    }
    return bad;
}

/* Whether the trained network has layers whose floats the folded one rounds otherwise. On a GPU
 * these are the host's there, and here ours. Maxima don't round, nor do plain sums. */
static bool has_rounding_layers(const network *trained) {
#ifdef GPU
    for (int i = 0; i < trained->n; i++) {
        const layer *l = &trained->layers[i];
        const bool plain =
            l->alpha == 1 && l->beta == 1 &&
            (l->activation == LINEAR || l->activation == RELU || l->activation == LEAKY);
        if (l->type == AVGPOOL || l->type == SOFTMAX || l->type == CROP ||
            (l->type == SHORTCUT && !plain))
            return true;
    }
#else
    (void)trained;
#endif
    return false;
}

/* All layers agree by themselves; what is between them must be the same, too. */
static gdrq_status check_outputs(const verification *v, bool exact, gdrq_error *err) {
    const output_difference *d = &v->outputs;
    const double relative = output_difference_relative(d);
    if (exact && !has_rounding_layers(v->trained) && d->largest > 0)
        return gdrq_fail(
            err, GDRQ_ERROR_STATE,
            "all layers agree, but the outputs of the networks differ by up to %g: this "
            "is a bug of ours",
            d->largest);
    if (relative > rounding_at_end)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "all layers agree, but the outputs of the networks differ by %.1f%%, and "
                         "by up to %g, which is more than rounding does: this is a bug of ours",
                         100 * relative, d->largest);
    return GDRQ_OK;
}

static gdrq_status print_result(const verification *v, gdrq_error *err) {
    bool exact;
    const int bad = print_layers(v, &exact);
    const task t = task_of(v->trained);
    if (t == TASK_DETECT)
        printf("Objects above %g in %d pictures: %d by the trained network, %d by the folded one, "
               "%d by both\n",
               (double)v->thresh, v->images, v->objects, v->found, v->common);
    else if (t == TASK_SEGMENT)
        printf("The same class in %zu of %zu pixels\n", v->same_pixels, v->pixels);
    else
        printf("The same likeliest class in %d of %d pictures\n", v->same_class, v->images);
    printf("Largest difference of an output: %g; root mean square, of theirs: %.3g%%\n",
           v->outputs.largest, 100 * output_difference_relative(&v->outputs));
    if (v->outputs.not_finite)
        return gdrq_fail(
            err, GDRQ_ERROR_STATE,
            "%zu outputs of the networks are not finite, which can't be compared: train "
            "the network anew",
            v->outputs.not_finite);
    if (bad)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "%d layers of the folded network compute something else than what was "
                         "trained: fold the network anew",
                         bad);
    return check_outputs(v, exact, err);
}

static gdrq_status load(const char *cfg, const char *weights, network **net, gdrq_error *err) {
    gdrq_status status = gdrq_network_parse(cfg, report_note, NULL, net, err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(*net, weights, false, NULL, err);
    return status;
}

/* So that outputs can be compared one by one. */
static gdrq_status check_shapes(const verification *v, const char *folded_cfg, gdrq_error *err) {
    const network *a = v->trained, *b = v->folded;
    bool same = a->n == b->n && a->w == b->w && a->h == b->h && a->c == b->c &&
                a->inputs == b->inputs && a->outputs == b->outputs;
    for (int i = 0; i < a->n && same; i++)
        same = a->layers[i].type == b->layers[i].type &&
               a->layers[i].outputs == b->layers[i].outputs &&
               a->layers[i].classes == b->layers[i].classes;
    return same ? GDRQ_OK
                : gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                            "%s: the folded network was not made of this one, or not at this size "
                            "(%d x %d; here %d x %d)",
                            folded_cfg, a->w, a->h, b->w, b->h);
}

/* Kernels are chosen as a network is parsed. */
static gdrq_status open_plain(const arg_operands *operands, network **net, gdrq_error *err) {
#ifdef GPU
    (void)operands, (void)net, (void)err;
    return GDRQ_OK;
#else
    const char *cpu = gdrq_machine_cpu();
    if (strcmp(cpu, "c") == 0)
        return GDRQ_OK;
    gdrq_status status = gdrq_set_cpu("c", err);
    if (status == GDRQ_OK)
        status = load(operands->at[2], operands->at[3], net, err);
    return status == GDRQ_OK ? gdrq_set_cpu(cpu, err) : status;
#endif
}

static gdrq_status open_both(const arg_operands *operands, verification *v, gdrq_error *err) {
    gdrq_status status = load(operands->at[0], operands->at[1], &v->trained, err);
    if (status == GDRQ_OK)
        status = load(operands->at[2], operands->at[3], &v->folded, err);
    if (status == GDRQ_OK && gdrq_network_is_folded(v->trained))
        status = gdrq_fail(err, GDRQ_ERROR_STATE, "%s: is folded; give the trained network first",
                           operands->at[0]);
    if (status == GDRQ_OK && !gdrq_network_is_folded(v->folded))
        status = gdrq_fail(err, GDRQ_ERROR_STATE, "%s: is not folded; give the folded network last",
                           operands->at[2]);
    if (status == GDRQ_OK)
        status = check_shapes(v, operands->at[2], err);
    if (status != GDRQ_OK)
        return status;
    status = open_plain(operands, &v->plain, err);
    if (status != GDRQ_OK)
        return status;
    v->matches = gdrq_alloc((size_t)v->trained->n, sizeof *v->matches);
    return v->matches ? GDRQ_OK : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
}

static gdrq_status run(const arg_operands *operands, float thresh, gdrq_error *err) {
    verification v = {.thresh = thresh};
    picture_paths paths = {0};
    gdrq_status status = picture_paths_find(operands->at[4], &paths, err);
    if (status == GDRQ_OK)
        status = open_both(operands, &v, err);
    for (int i = 0; i < paths.n && status == GDRQ_OK; i++)
        status = verify_picture(&v, paths.at[i], err);
    if (status == GDRQ_OK)
        status = print_result(&v, err);
    picture_paths_free(&paths);
    free(v.matches);
    if (v.trained)
        free_network(v.trained);
    if (v.folded)
        free_network(v.folded);
    if (v.plain)
        free_network(v.plain);
    return status;
}

int cmd_gdrq_verify(int argc, char **argv) {
    float thresh = .25f;
    const arg_flag flags[] = {{.name = "thresh",
                               .value_name = "N",
                               .real = &thresh,
                               .max = 1,
                               .help = "score above which a detection is an object"}};
    const arg_spec spec = {
        .command = "gdrq verify",
        .operands = "CFG WEIGHTS FOLDED.cfg FOLDED.weights IMAGES",
        .help =
            "Runs a trained network and its folded form side by side on IMAGES (one, a folder of\n"
            "them, or a file that lists them): layer by layer on the same input codes, and from\n"
            "end to end, on a CPU also in portable C. Fails if a layer computes something "
            "else than\n"
            "what was trained, or if kernels of this processor give another result than portable "
            "C.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, thresh, &err) == GDRQ_OK ? 0 : report_error(&err);
}
