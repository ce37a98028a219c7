#include "tester.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/times.h"
#include "detect.h"
#include "detector.h"
#include "each_picture.h"
#include "image/picture_paths.h"
#include "output_check.h"
#include "output_name.h"
#include "prompt.h"
#include "report.h"
#include "results/json_results.h"
#include "results/label_file.h"
#include "results/print_detections.h"
#include "seconds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* A benchmark of one picture lasts so long, and so many runs at least. */
static const double benchmark_seconds = 3;
enum { BENCHMARK_RUNS = 5 };

typedef struct tester {
    const test_options *options;
    detector detector;
    bool json;           /* -out names a .json file */
    bool pictures;       /* are drawn */
    bool numbered;       /* pictures have numbers and names of their own */
    int begun, digits;   /* pictures so far; digits of a number, 0 while their count is unknown */
    json_results result; /* with json */
} tester;

static bool ends_in_json(const char *name) {
    const size_t n = strlen(name);
    return n > 5 && !strcasecmp(name + n - 5, ".json");
}

/* What files are written follows from the options. */
static tester plan(const test_options *o, const char *image, const picture_paths *paths) {
    tester t = {.options = o};
    t.json = o->out && ends_in_json(o->out) && !o->benchmark;
    const bool others = t.json || o->save_labels;
    const bool named = o->prefix || (o->out && !t.json);
    t.pictures = (named || !others) && !o->benchmark;
    const bool single = image && paths->n == 1 && !strcmp(paths->at[0], image);
    const bool into_folder = named && !o->prefix && o->out[strlen(o->out) - 1] == '/';
    t.numbered = o->prefix || into_folder || (image && !single);
    if (image)
        t.digits = snprintf(NULL, 0, "%d", paths->n);
    return t;
}

/* The picture to write for `path`, allocated: OUT, to which upstream appends .jpg and we do where
 * no known extension is, or PREFIX_NUMBER_NAME. Numbers count from 1. */
static char *output_name(const tester *t, const char *path, int number) {
    const test_options *o = t->options;
    const char *out = o->out && !t->json ? o->out : "predictions";
    const char *extension = picture_can_save(out) ? strrchr(out, '.') : ".jpg";
    const int stem = (int)strlen(out) - (picture_can_save(out) ? (int)strlen(extension) : 0);
    if (t->numbered)
        return o->prefix ? output_name_numbered(o->prefix, (int)strlen(o->prefix), t->digits,
                                                number, path, extension)
                         : output_name_numbered(out, stem, t->digits, number, path, extension);
    const size_t size = strlen(out) + strlen(extension) + 1;
    char *made = gdrq_alloc(size, 1);
    if (made)
        snprintf(made, size, "%.*s%s", stem, out, extension);
    return made;
}

static gdrq_status draw_picture(const tester *t, const char *path, const detections *found,
                                picture *p, gdrq_error *err) {
    gdrq_status status =
        detections_draw(found, &t->detector.names, t->detector.classes, t->options->thresh, p, err);
    if (status != GDRQ_OK)
        return status;
    char *name = output_name(t, path, t->begun);
    status = name ? picture_save(p, name, err)
                  : gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    free(name);
    return status;
}

static gdrq_status test_picture(tester *t, const char *path, picture *p, gdrq_error *err) {
    const test_options *o = t->options;
    const detector *d = &t->detector;
    detections found = {0};
    gdrq_status status = detect_picture(d->net, p, o->thresh, o->hier, &found, err);
    if (status != GDRQ_OK)
        return status;
    printf("%s: Predicted in %f seconds.\n", path, found.seconds);
    detections_print(&found, &d->names, d->classes, o->thresh, o->ext_output ? p : NULL);
    fflush(stdout);
    if (t->json)
        json_results_add(&t->result, path, &found);
    if (o->save_labels)
        status = label_file_write(path, &found, d->classes, o->thresh, o->force, err);
    if (status == GDRQ_OK && t->pictures)
        status = draw_picture(t, path, &found, p, err);
    detections_free(&found);
    return status;
}

/* From the decoded picture to its boxes, over and over. */
static gdrq_status benchmark_picture(tester *t, const char *path, picture *p, gdrq_error *err) {
    enum { MOST_RUNS = 10000 };
    double *seconds = gdrq_alloc(MOST_RUNS, sizeof *seconds), total = 0;
    if (!seconds)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    detections found = {0};
    gdrq_status status = GDRQ_OK;
    int n = -1; /* the first run prepares kernels: it is not counted */
    while (status == GDRQ_OK && n < MOST_RUNS &&
           (n < BENCHMARK_RUNS || total < benchmark_seconds)) {
        const double start = seconds_now();
        status =
            detect_picture(t->detector.net, p, t->options->thresh, t->options->hier, &found, err);
        if (n >= 0)
            total += seconds[n] = seconds_now() - start;
        n++;
    }
    if (status == GDRQ_OK) {
        const gdrq_times times = gdrq_times_of(seconds, n);
        printf("%s: %.1f FPS, %.2f ms on average, %.2f ms median, %.2f ms best of %d runs\n", path,
               n / total, 1e3 * total / n, 1e3 * times.median, 1e3 * times.least, n);
        fflush(stdout);
    }
    detections_free(&found);
    free(seconds);
    return status;
}

static gdrq_status test_file(void *user, const char *path, bool *unreadable, gdrq_error *err) {
    tester *t = user;
    picture p;
    t->begun++;
    gdrq_status status = picture_load(path, &p, err);
    *unreadable = status != GDRQ_OK;
    if (status == GDRQ_OK)
        status = (t->options->benchmark ? benchmark_picture : test_picture)(t, path, &p, err);
    picture_free(&p);
    return status;
}

/* What is asked for is not known beforehand. */
static gdrq_status test_named(void *user, const char *path, gdrq_error *err) {
    tester *t = user;
    bool unreadable;
    char *drawn = t->pictures ? output_name(t, path, t->begun + 1) : NULL;
    const char *const outputs[] = {drawn, t->json ? t->options->out : NULL};
    const gdrq_status status = output_check(outputs, 2, &(run_inputs){.files = &path, .n = 1}, err);
    free(drawn);
    return status == GDRQ_OK ? test_file(t, path, &unreadable, err) : status;
}

static bool is_list_name(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (!strcasecmp(dot, ".txt") || !strcasecmp(dot, ".list"));
}

/* Whatever is neither a folder nor has a list's name is a picture: OpenCV tells by its content. */
static gdrq_status find_paths(const char *image, picture_paths *paths, gdrq_error *err) {
    struct stat st;
    if (is_list_name(image) || (stat(image, &st) == 0 && S_ISDIR(st.st_mode)))
        return picture_paths_find(image, paths, err);
    paths->at = gdrq_alloc(1, sizeof *paths->at);
    if (paths->at && (paths->at[0] = gdrq_strdup(image))) {
        paths->n = 1;
        return GDRQ_OK;
    }
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", image);
}

/* Before a network is loaded. */
static gdrq_status check_labels(const picture_paths *paths, const test_options *o,
                                gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    if (o->save_labels && !o->benchmark)
        for (int i = 0; i < paths->n && status == GDRQ_OK; i++)
            status = label_file_check(paths->at[i], o->force, err);
    return status;
}

static void free_names(char **names, int n) {
    for (int i = 0; names && i < n; i++)
        free(names[i]);
    free(names);
}

/* The names of what is written for pictures of the command line; of *n some may be NULL. NULL: out
 * of memory. */
static char **output_names(const tester *t, const picture_paths *paths, int *n) {
    *n = paths->n + 1;
    char **names = gdrq_alloc((size_t)*n, sizeof *names);
    bool made = names && (!t->json || (names[paths->n] = gdrq_strdup(t->options->out)));
    for (int i = 0; i < paths->n && t->pictures && made; i++)
        made = (names[i] = output_name(t, paths->at[i], i + 1));
    if (made)
        return names;
    free_names(names, *n);
    return NULL;
}

/* `files` are DATA, CFG and WEIGHTS. */
static gdrq_status check_outputs(const tester *t, const char *const *files,
                                 const picture_paths *paths, gdrq_error *err) {
    int n;
    char **names = output_names(t, paths, &n);
    if (!names)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the names of %d pictures", n);
    const char *const *outputs = (const char *const *)names;
    const run_inputs pictures = {.files = (const char *const *)paths->at, .n = paths->n};
    const run_inputs others = {.files = files, .n = 3, .data = &t->detector.data};
    gdrq_status status = output_check(outputs, n, &others, err);
    if (status == GDRQ_OK)
        status = output_check(outputs, n, &pictures, err);
    free_names(names, n);
    return status;
}

static gdrq_status test_all(tester *t, const char *image, const picture_paths *paths,
                            gdrq_error *err) {
    const detector *d = &t->detector;
    gdrq_status status = GDRQ_OK;
    if (t->json)
        status = json_results_open(&t->result, d->names.names, d->classes, t->options->thresh, err);
    if (status != GDRQ_OK)
        return status;
    if (image)
        status = each_picture(paths, test_file, t, err);
    else
        status = prompt_for_images(test_named, t, err);
    if (t->json) {
        gdrq_error write_error;
        const gdrq_status written = json_results_save(&t->result, t->options->out, &write_error);
        if (status == GDRQ_OK && written != GDRQ_OK) {
            *err = write_error;
            status = written;
        }
        json_results_free(&t->result);
    }
    return status;
}

int test_run(const char *data_path, const char *cfg_path, const char *weights_path,
             const char *image, const test_options *options) {
    gdrq_error err;
    picture_paths paths = {0};
    gdrq_status status = image ? find_paths(image, &paths, &err) : GDRQ_OK;
    if (status == GDRQ_OK)
        status = check_labels(&paths, options, &err);
    tester t = plan(options, image, &paths);
    if (status == GDRQ_OK)
        status = detector_open_trained(data_path, cfg_path, weights_path, &t.detector, &err);
    const char *const files[] = {data_path, cfg_path, weights_path};
    if (status == GDRQ_OK)
        status = check_outputs(&t, files, &paths, &err);
    if (status == GDRQ_OK)
        status = test_all(&t, image, &paths, &err);
    detector_close(&t.detector);
    picture_paths_free(&paths);
    return status == GDRQ_OK ? 0 : report_error(&err);
}
