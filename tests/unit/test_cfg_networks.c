/*
 * The networks and .data files in cfg/: that they parse, follow their own convention of bits, and
 * are those of their stock namesakes. Runs in the root of the source tree.
 */
#include "small_network.h"

#include "data/class_labels.h"
#include "data/data_cfg.h"
#include "data/palette.h"
#include "host/outline.h"
#include "host/section_keys.h"
#include "host/tensor_class.h"
#include "host/text_file.h"
#include "host/weight_spans.h"

#include <dlfcn.h>
#include <glob.h>

#define STOCK "/usr/share/darknet/cfg/"

/* The host's parser draws one for every weight, which takes most of its time. */
__attribute__((visibility("default"))) float rand_normal(void) {
    return 0;
}

/* Calls check for each file; fails if there are fewer than `least`. */
static void for_each(const char *pattern, size_t least, void (*check)(const char *path)) {
    glob_t files = {0};
    glob(pattern, 0, NULL, &files);
    if (files.gl_pathc < least)
        fail_msg("%zu of %zu files are %s here; run this where cfg/ is", files.gl_pathc, least,
                 pattern);
    for (size_t i = 0; i < files.gl_pathc; i++)
        check(files.gl_pathv[i]);
    globfree(&files);
}

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void read_outline(const char *path, gdrq_outline *outline) {
    gdrq_error err = {""};
    if (gdrq_outline_read(path, outline, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
}

static void must_be_trainable(const char *path) {
    gdrq_outline o;
    gdrq_tensor_classes classes;
    gdrq_error err = {""};
    read_outline(path, &o);
    if (gdrq_tensor_classes_build(&o, &classes, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    if (o.n_notes > 0)
        fail_msg("%s", o.notes[0]);
    assert_null(o.untrainable);
    const bool quantised = !ends_with(path, "-float.cfg");
    for (int i = 0; i < o.n; i++)
        if (o.layers[i].type == CONVOLUTIONAL || o.layers[i].type == CONNECTED)
            assert_int_equal(o.layers[i].quantised, quantised);
    gdrq_tensor_classes_free(&classes);
    gdrq_outline_free(&o);
}

static void cfgs_parse(void **state) {
    (void)state;
    for_each("cfg/*.cfg", 13, must_be_trainable);
}

/* The cfg as a stock one, converted. */
static void convert_again(const gdrq_outline *o, gdrq_outline *converted) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    gdrq_error err = {""};
    char *text;
    assert_int_equal(gdrq_outline_translate(o, &text, &err), GDRQ_OK);
    char *path = temporary_file(text, strlen(text));
    if (gdrq_convert_cfg(path, path, &options, &err) != GDRQ_OK)
        fail_msg("%s: %s", o->cfg.path, err.message);
    read_outline(path, converted);
    discard(path);
    free(text);
}

static void must_have_the_usual_bits(const char *path) {
    gdrq_outline o, converted;
    read_outline(path, &o);
    convert_again(&o, &converted);
    assert_int_equal(o.n, converted.n);
    for (int i = 0; i < o.n && !ends_with(path, "-float.cfg"); i++) {
        const gdrq_layer_options *a = &o.layers[i].options, *b = &converted.layers[i].options;
        if (a->weight_bits != b->weight_bits || a->activation_bits != b->activation_bits)
            fail_msg("%s:%d: layer %d [%s] has %d and %d bits, by convention %d and %d", path,
                     o.layers[i].section->line, i, o.layers[i].section->name, a->weight_bits,
                     a->activation_bits, b->weight_bits, b->activation_bits);
    }
    gdrq_outline_free(&converted);
    gdrq_outline_free(&o);
}

static void bits_are_those_that_convert_gives(void **state) {
    (void)state;
    for_each("cfg/*.cfg", 13, must_have_the_usual_bits);
}

/* What the host makes of it: keys of ours aside. */
static bool is_stock_option(const gdrq_cfg_section *section, const char *key) {
    bool ours;
    const gdrq_section_kind *kind = gdrq_section_kind_find(section->name);
    assert_non_null(gdrq_key_find(kind, key, &ours));
    return !ours;
}

/* Every stock option of `a` is in `b` with the same value. */
static void assert_options_in(const gdrq_outline_layer *a, const gdrq_outline_layer *b,
                              const char *path) {
    for (int k = 0; k < a->section->n; k++) {
        const gdrq_cfg_option *option = &a->section->options[k];
        const gdrq_cfg_option *other = gdrq_cfg_find(b->section, option->key);
        if (is_stock_option(a->section, option->key) &&
            (!other || strcmp(other->value, option->value) != 0))
            fail_msg("%s:%d: [%s] %s=%s, but %s on the other side", path, option->line,
                     a->section->name, option->key, option->value,
                     other ? other->value : "nothing");
    }
}

/* The shapes of what a weights file holds depend on these alone. */
static layer layer_of(const gdrq_outline_layer *l) {
    const bool normalises = gdrq_cfg_find(l->section, "batch_normalize") != NULL;
    return (layer){.type = l->type,
                   .n = l->filters,
                   .c = l->c,
                   .size = l->size,
                   .groups = l->groups,
                   .inputs = l->inputs,
                   .outputs = l->outputs,
                   .batch_normalize = normalises};
}

/* Counts of the arrays of one layer, in their order. */
typedef struct span_counts {
    size_t counts[8];
    int n;
} span_counts;

static bool add_span(void *user, const gdrq_weight_span *span) {
    span_counts *s = user;
    s->counts[s->n++] = span->count;
    return s->n < 8;
}

static span_counts spans_of(const gdrq_outline_layer *outline) {
    const layer l = layer_of(outline);
    span_counts s = {.n = 0};
    assert_true(gdrq_visit_weight_spans(&l, GDRQ_ALL, add_span, &s));
    return s;
}

static void assert_same_layer(const gdrq_outline *a, const gdrq_outline *b, int i) {
    const gdrq_outline_layer *l = &a->layers[i], *m = &b->layers[i];
    assert_int_equal(l->type, m->type);
    assert_options_in(l, m, a->cfg.path);
    assert_options_in(m, l, b->cfg.path);
    const int shapes[2][8] = {
        {l->w, l->h, l->c, l->inputs, l->out_w, l->out_h, l->out_c, l->outputs},
        {m->w, m->h, m->c, m->inputs, m->out_w, m->out_h, m->out_c, m->outputs}};
    assert_memory_equal(shapes[0], shapes[1], sizeof *shapes);
    const span_counts s = spans_of(l), t = spans_of(m);
    assert_int_equal(s.n, t.n);
    assert_memory_equal(s.counts, t.counts, sizeof s.counts);
}

static int namesakes;

static void must_match_its_namesake(const char *path) {
    gdrq_outline ours, stock;
    char stock_path[128];
    snprintf(stock_path, sizeof stock_path, STOCK "%s", strrchr(path, '/') + 1);
    if (access(stock_path, F_OK) != 0)
        return;
    namesakes++;
    read_outline(path, &ours);
    read_outline(stock_path, &stock);
    assert_int_equal(ours.n, stock.n);
    assert_true(ours.w == stock.w && ours.h == stock.h && ours.c == stock.c);
    for (int i = 0; i < ours.n; i++)
        assert_same_layer(&ours, &stock, i);
    gdrq_outline_free(&stock);
    gdrq_outline_free(&ours);
}

static void namesakes_of_stock_cfgs_are_the_same_networks(void **state) {
    (void)state;
    for_each("cfg/*.cfg", 13, must_match_its_namesake);
    assert_int_equal(namesakes, 8);
}

/* In bytes, with the header of today's files. */
static size_t weights_file_size(const char *path) {
    gdrq_outline o;
    read_outline(path, &o);
    size_t floats = 0;
    for (int i = 0; i < o.n; i++) {
        const layer l = layer_of(&o.layers[i]);
        floats += gdrq_count_weights(&l, GDRQ_ALL);
    }
    gdrq_outline_free(&o);
    return 20 + 4 * floats;
}

/* Sizes of the files that Darknet's site offers. */
static void published_weights_have_the_size(void **state) {
    (void)state;
    assert_int_equal(weights_file_size("cfg/yolov3-tiny.cfg"), 35434956);
    assert_int_equal(weights_file_size("cfg/yolov3.cfg"), 248007048);
}

/* Its header says so: the backbone's weights load. */
static void resnet18_yolo_begins_as_resnet18(void **state) {
    (void)state;
    const int backbone = 26;
    gdrq_outline whole, detector;
    read_outline("cfg/resnet18.cfg", &whole);
    read_outline("cfg/resnet18-yolo.cfg", &detector);
    assert_int_equal(whole.layers[backbone].type, AVGPOOL);
    for (int i = 0; i < backbone; i++) {
        const gdrq_outline_layer *a = &whole.layers[i], *b = &detector.layers[i];
        assert_int_equal(a->type, b->type);
        assert_options_in(a, b, whole.cfg.path);
        assert_options_in(b, a, detector.cfg.path);
        assert_memory_equal(&a->options, &b->options, sizeof a->options);
    }
    /* Its heads: strides 32 and 16. */
    assert_int_equal(detector.n, 37);
    assert_int_equal(detector.layers[29].type, YOLO);
    assert_int_equal(detector.layers[29].w, detector.w / 32);
    assert_int_equal(detector.layers[36].type, YOLO);
    assert_int_equal(detector.layers[36].w, detector.w / 16);
    gdrq_outline_free(&detector);
    gdrq_outline_free(&whole);
}

static void assert_same_weights(const network *a, const network *b) {
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        const layer *l = &a->layers[i], *m = &b->layers[i];
        assert_int_equal(l->type, m->type);
        if (l->type != CONVOLUTIONAL)
            continue;
        const size_t per_filter = sizeof(float) * (size_t)l->n;
        assert_int_equal(l->nweights, m->nweights);
        assert_memory_equal(l->weights, m->weights, sizeof(float) * (size_t)l->nweights);
        assert_memory_equal(l->biases, m->biases, per_filter);
        assert_int_equal(l->batch_normalize, m->batch_normalize);
        if (!l->batch_normalize)
            continue;
        assert_memory_equal(l->scales, m->scales, per_filter);
        assert_memory_equal(l->rolling_mean, m->rolling_mean, per_filter);
        assert_memory_equal(l->rolling_variance, m->rolling_variance, per_filter);
    }
}

static network *parse(const char *path) {
    network *net;
    gdrq_error err = {""};
    if (gdrq_network_parse(path, NULL, NULL, &net, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    return net;
}

/* Through the host's own writer and loader on the one side. */
static void assert_shares_weights(const char *ours_path, const char *stock_path) {
    void (*host_save)(network *, char *, int) =
        (void (*)(network *, char *, int))dlsym(RTLD_NEXT, "save_weights_upto");
    void (*host_load)(network *, char *, int, int) =
        (void (*)(network *, char *, int, int))dlsym(RTLD_NEXT, "load_weights_upto");
    assert_true(host_save && host_load);
    network *stock = parse(stock_path), *ours = parse(ours_path);
    char *file = temporary_file("", 0);
    gdrq_load_report report;
    gdrq_error err = {""};
    randomise(stock);
    host_save(stock, file, stock->n);
    if (gdrq_network_load(ours, file, false, &report, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    assert_true(report.complete);
    assert_int_equal(report.layers, stock->n);
    assert_same_weights(ours, stock);
    /* And back, into a network that has others. */
    if (gdrq_network_save(ours, file, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    randomise(stock);
    host_load(stock, file, 0, stock->n);
    assert_same_weights(ours, stock);
    discard(file);
    free_network(ours);
    free_network(stock);
}

static void stock_weights_load_and_ours_load_there(void **state) {
    (void)state;
    seed_random(7);
    assert_shares_weights("cfg/yolov3-tiny.cfg", STOCK "yolov3-tiny.cfg");
}

/* The header of bccd-yolo.cfg says how it was made. */
static void bccd_yolo_is_the_float_one_converted(void **state) {
    (void)state;
    gdrq_convert_options options = gdrq_convert_defaults();
    options.threshold = "scale"; /* it is trained from scratch */
    gdrq_error err = {""};
    char *path = temporary_file("", 0), *made, *kept;
    size_t n, m;
    if (gdrq_convert_cfg("cfg/bccd-yolo-float.cfg", path, &options, &err) != GDRQ_OK ||
        gdrq_text_file_read(path, 1 << 20, &made, &n, &err) != GDRQ_OK ||
        gdrq_text_file_read("cfg/bccd-yolo.cfg", 1 << 20, &kept, &m, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n, m);
    assert_memory_equal(made, kept, n);
    free(kept);
    free(made);
    discard(path);
}

static void assert_same_network(const char *float_path, const char *quantised_path) {
    gdrq_outline a, b;
    read_outline(float_path, &a);
    read_outline(quantised_path, &b);
    assert_int_equal(a.n, b.n);
    for (int i = 0; i < a.n; i++)
        assert_same_layer(&a, &b, i);
    gdrq_outline_free(&b);
    gdrq_outline_free(&a);
}

/* So that the float network's weights are what fine-tuning starts from. */
static void cifar10_networks_are_their_float_ones(void **state) {
    (void)state;
    assert_same_network("cfg/cifar10-resnet20-float.cfg", "cfg/cifar10-resnet20.cfg");
    assert_same_network("cfg/cifar10-vgg-small-float.cfg", "cfg/cifar10-vgg-small.cfg");
}

/* The one whole network of ours that is small enough to run here. */
static void cifar10_small_gives_probabilities(void **state) {
    (void)state;
    network *net = parse("cfg/cifar10-small.cfg");
    gdrq_error err = {""};
    seed_random(8);
    randomise(net);
    set_batch_network(net, 2);
    random_pixels(net);
    net->train = 1;
    forward_network(net); /* the first one finds the thresholds */
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
    net->train = 0;
    forward_network(net);
    assert_int_equal(net->outputs, 10);
    for (int b = 0; b < net->batch; b++) {
        float sum = 0, least = 1;
        for (int k = 0; k < net->outputs; k++) {
            sum += net->output[b * net->outputs + k];
            least = fminf(least, net->output[b * net->outputs + k]);
        }
        assert_true(least > 0 && fabsf(sum - 1) < 1e-5f);
    }
    free_network(net);
}

static void must_have_known_keys(const data_cfg *data) {
    static const char *const known[] = {"classes", "train", "valid",   "names", "labels", "backup",
                                        "top",     "eval",  "results", "void",  "palette"};
    const size_t n = sizeof known / sizeof *known;
    for (int i = 0; i < data->n; i++) {
        size_t k = 0;
        while (k < n && strcmp(known[k], data->options[i].key) != 0)
            k++;
        if (k == n)
            fail_msg("%s:%d: nothing reads %s", data->path, data->options[i].line,
                     data->options[i].key);
    }
}

static void must_have_names(const data_cfg *data, const char *key, int classes, bool only) {
    const char *path = data_cfg_find(data, key);
    class_names names;
    gdrq_error err = {""};
    if (!path)
        return;
    if (class_names_read(path, classes, &names, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    assert_true(!only || names.n == classes);
    class_names_free(&names);
}

static void must_have_colours(const data_cfg *data, int classes) {
    const char *path = data_cfg_find(data, "palette");
    palette colours;
    gdrq_error err = {""};
    if (path && palette_read(path, classes, &colours, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
}

/* Those with labels are for classifiers, which take the first `classes` names of a longer list. */
static void must_be_a_good_data_file(const char *path) {
    data_cfg data;
    gdrq_error err = {""};
    int classes = 0;
    if (data_cfg_read(path, &data, &err) != GDRQ_OK ||
        data_cfg_require_int(&data, "classes", 1, 1000, &classes, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    must_have_known_keys(&data);
    const bool classifier = data_cfg_find(&data, "labels") != NULL;
    assert_true(classifier || data_cfg_find(&data, "names"));
    assert_true(data_cfg_find(&data, "train") && data_cfg_find(&data, "valid") &&
                data_cfg_find(&data, "backup"));
    must_have_names(&data, "names", classes, !classifier);
    must_have_names(&data, "labels", classes, false);
    must_have_colours(&data, classes);
    data_cfg_free(&data);
}

static void data_files_read(void **state) {
    (void)state;
    for_each("cfg/*.data", 4, must_be_a_good_data_file);
}

static void cifar10_labels_tell_classes_apart(void **state) {
    (void)state;
    class_labels labels;
    gdrq_error err = {""};
    if (class_labels_read("cfg/cifar10.labels", 10, &labels, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    assert_int_equal(labels.names.n, 10);
    for (int i = 0; i < 10; i++) {
        char path[64];
        snprintf(path, sizeof path, "data/cifar10/train/%s/1.png", labels.names.names[i]);
        assert_int_equal(class_of_path(&labels, path), i);
        snprintf(path, sizeof path, "data/cifar10/train/1_%s.png", labels.names.names[i]);
        assert_int_equal(class_of_path(&labels, path), i);
    }
    class_labels_free(&labels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cfgs_parse),
        cmocka_unit_test(bits_are_those_that_convert_gives),
        cmocka_unit_test(namesakes_of_stock_cfgs_are_the_same_networks),
        cmocka_unit_test(published_weights_have_the_size),
        cmocka_unit_test(resnet18_yolo_begins_as_resnet18),
        cmocka_unit_test(stock_weights_load_and_ours_load_there),
        cmocka_unit_test(bccd_yolo_is_the_float_one_converted),
        cmocka_unit_test(cifar10_networks_are_their_float_ones),
        cmocka_unit_test(cifar10_small_gives_probabilities),
        cmocka_unit_test(data_files_read),
        cmocka_unit_test(cifar10_labels_tell_classes_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
