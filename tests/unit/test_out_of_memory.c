/*
 * Every allocation of folding and of folded networks fails once, for every i: each time the answer
 * is GDRQ_ERROR_MEMORY, nothing leaks (as the address sanitiser would tell), and what was there
 * still works. The linker puts the functions below into the place of the C library's, for our code
 * and not for the host's.
 */
#include "fold_test.h"

#include "base/status.h"

#include <errno.h>

static long countdown = -1; /* allocations until one fails; negative: none will */

static bool fails(void) {
    if (countdown < 0 || countdown-- > 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

static const char *const cfg_text =
    "[net]\nbatch=2\nwidth=24\nheight=16\nchannels=3\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation="
    "leaky\n"
    "[convolutional]\nbatch_normalize=1\nfilters=6\nsize=3\npad=1\nactivation=leaky\n"
    "[route]\nlayers=-1,-2\n"
    "[dropout]\n"
    "[gdrq_convolutional]\nsize=1\nfilters=14\nactivation=linear\nweight_bits=8\n"
    "[yolo]\nmask=0,1\nanchors=4,4, 16,16\nclasses=2\nnum=2\n";

static fold_pair pair;
static unsigned char bytes[20 * 20 * 3];

typedef gdrq_status operation(gdrq_error *err);

static gdrq_status fold_again(gdrq_error *err) {
    return gdrq_fold(pair.cfg, pair.weights, pair.out_cfg, pair.out_weights, NULL, NULL, err);
}

static gdrq_status open_and_close(gdrq_error *err) {
    network *net = NULL;
    gdrq_status status = gdrq_network_parse(pair.out_cfg, NULL, NULL, &net, err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(net, pair.out_weights, false, NULL, err);
    if (net)
        free_network(net);
    return status;
}

static gdrq_status load_again(gdrq_error *err) {
    return gdrq_network_load(pair.folded, pair.out_weights, false, NULL, err);
}

static gdrq_status resize_twice(gdrq_error *err) {
    const gdrq_status status = gdrq_network_resize(pair.folded, 32, 32, err);
    return status == GDRQ_OK ? gdrq_network_resize(pair.folded, 24, 16, err) : status;
}

static gdrq_status predict(gdrq_error *err) {
    const gdrq_pixels image = {bytes, 20, 20, 60, GDRQ_RGB};
    return gdrq_network_predict_pixels(pair.folded, &image, NULL, err);
}

static gdrq_status find_boxes(gdrq_error *err) {
    const gdrq_box_options options = {.thresh = .1f, .nms = .45f};
    gdrq_boxes *boxes = gdrq_boxes_new();
    detection *found;
    int n;
    const gdrq_status status =
        boxes ? gdrq_network_boxes(pair.folded, 20, 20, &options, boxes, &found, &n, err)
              : gdrq_fail(err, GDRQ_ERROR_MEMORY, "no boxes");
    gdrq_boxes_free(boxes);
    return status;
}

static gdrq_status compare(gdrq_error *err) {
    gdrq_layer_match matches[6] = {{0}};
    return gdrq_network_compare(pair.trained, pair.folded, matches, err);
}

/* What was there still computes the same: at its old size, with its old numbers. */
static void check_pair_works(void) {
    gdrq_error err = {""};
    gdrq_layer_match matches[6] = {{0}};
    must_be_ok(gdrq_network_resize(pair.folded, 24, 16, &err), &err);
    predict_both(&pair);
    compare_layers(&pair, matches);
    assert_memory_equal(pair.trained->output, pair.folded->output,
                        (size_t)pair.folded->outputs * sizeof(float));
}

/*
 * `forgiven` failures may pass: a folder that can't be opened for want of memory only means that
 * the file has a name while it is written, or that its folder is not synced.
 */
static void fail_each(operation *run, int least, int forgiven) {
    int failures = 0;
    for (long i = 0;; i++) {
        gdrq_error err = {""};
        countdown = i;
        const gdrq_status status = run(&err);
        const bool failed = countdown < 0;
        countdown = -1;
        if (!failed) {
            must_be_ok(status, &err);
            break;
        }
        if (status == GDRQ_OK && forgiven-- > 0)
            continue;
        if (status != GDRQ_ERROR_MEMORY || !err.message[0] || strchr(err.message, '\n'))
            fail_msg("allocation %ld: status %d, '%s'", i, (int)status, err.message);
        failures++;
        if (i % 8 == 0)
            check_pair_works();
    }
    printf("%d allocations failed\n", failures);
    assert_true(failures >= least);
    check_pair_works();
}

static void folding(void **state) {
    (void)state;
    fail_each(fold_again, 30, 4);
}

static void opening(void **state) {
    (void)state;
    fail_each(open_and_close, 30, 0);
}

static void loading(void **state) {
    (void)state;
    fail_each(load_again, 8, 0);
}

static void resizing(void **state) {
    (void)state;
    fail_each(resize_twice, 10, 0);
}

static void predicting(void **state) {
    (void)state;
    fail_each(predict, 1, 0);
}

static void finding_boxes(void **state) {
    (void)state;
    fail_each(find_boxes, 4, 0);
}

static void comparing(void **state) {
    (void)state;
    predict_both(&pair);
    fail_each(compare, 8, 0);
}

static int set_up(void **state) {
    (void)state;
    seed_random(501);
    return make_pair(&pair, cfg_text) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    free_pair(&pair);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding),   cmocka_unit_test(opening),    cmocka_unit_test(loading),
        cmocka_unit_test(resizing),  cmocka_unit_test(predicting), cmocka_unit_test(finding_boxes),
        cmocka_unit_test(comparing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
