/* The checked outline of a network: shapes against the host's, options, and what is refused. */
#include "cmocka_all.h"

#include "host/outline.h"
#include "host/tensor_union.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOCK_CFGS "/usr/share/darknet/cfg/*.cfg"
#define NET "[net]\nwidth=32\nheight=32\nchannels=3\n"
#define CONV8 "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=leaky\n"
#define SQUARE "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
#define YOLO                                                                                 \
    "[convolutional]\nfilters=24\nactivation=linear\n[yolo]\nmask=0,1,2\nclasses=3\nnum=3\n" \
    "anchors=1,2,3,4,5,6\n"

static void parse(const char *text, gdrq_outline *outline) {
    gdrq_error err = {""};
    if (gdrq_outline_parse("net.cfg", text, strlen(text), outline, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
}

/* Shapes of one layer, as they are compared. */
typedef struct shape {
    int w, h, c, inputs, out_w, out_h, out_c, outputs;
} shape;

static shape shape_of_outline(const gdrq_outline_layer *l) {
    return (shape){l->w, l->h, l->c, l->inputs, l->out_w, l->out_h, l->out_c, l->outputs};
}

static void assert_shape(const gdrq_outline_layer *l, shape expected) {
    const shape got = shape_of_outline(l);
    if (memcmp(&got, &expected, sizeof got) != 0)
        fail_msg("[%s]: %d %d %d %d -> %d %d %d %d", l->section->name, got.w, got.h, got.c,
                 got.inputs, got.out_w, got.out_h, got.out_c, got.outputs);
}

/* The host's parser draws one for every weight, which takes most of its time; shapes need none. */
__attribute__((visibility("default"))) float rand_normal(void) {
    return 0;
}

/* Writes the shapes that the host's own parser makes of the text; runs in a child process. */
static void write_host_shapes(const char *text, int out) {
    typedef network *parse_fn(char *);
    parse_fn *host_parse = (parse_fn *)dlsym(RTLD_NEXT, "parse_network_cfg");
    const int file = memfd_create("cfg", 0), null = open("/dev/null", O_WRONLY);
    char path[64];
    dup2(null, STDERR_FILENO);
    if (!host_parse || file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text))
        _exit(1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    const network *net = host_parse(path);
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        const shape s = {l->w, l->h, l->c, l->inputs, l->out_w, l->out_h, l->out_c, l->outputs};
        if (write(out, &s, sizeof s) != sizeof s)
            _exit(1);
    }
    _exit(0);
}

/* The host may assert and exit, and leaks: it parses in a process of its own. */
static void compare_with_host(const gdrq_outline *outline) {
    char *text;
    int ends[2];
    assert_int_equal(gdrq_outline_translate(outline, &text, NULL), GDRQ_OK);
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        write_host_shapes(text, ends[1]);
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "rb");
    int read_layers = 0;
    for (shape host; fread(&host, sizeof host, 1, in) == 1; read_layers++) {
        const shape ours = shape_of_outline(&outline->layers[read_layers]);
        if (memcmp(&ours, &host, sizeof host) != 0)
            fail_msg("%s: layer %d: %d %d %d %d -> %d %d %d %d, host %d %d %d %d -> %d %d %d %d",
                     outline->cfg.path, read_layers, ours.w, ours.h, ours.c, ours.inputs,
                     ours.out_w, ours.out_h, ours.out_c, ours.outputs, host.w, host.h, host.c,
                     host.inputs, host.out_w, host.out_h, host.out_c, host.outputs);
    }
    fclose(in);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0 || read_layers != outline->n)
        fail_msg("%s: the host made %d of %d layers, status %d, of\n%s", outline->cfg.path,
                 read_layers, outline->n, status, text);
    free(text);
}

/* What the host takes memory and time for. */
static double count_weights(const gdrq_outline *outline) {
    double weights = 0;
    for (int i = 0; i < outline->n; i++) {
        const gdrq_outline_layer *l = &outline->layers[i];
        if (l->type == CONVOLUTIONAL)
            weights += (double)l->size * l->size * l->c / l->groups * l->filters;
        else if (l->type == CONNECTED || l->type == LOCAL)
            weights += (double)l->inputs * l->outputs;
    }
    return weights;
}

static void stock_cfgs_have_the_hosts_shapes(void **state) {
    (void)state;
    const double small = 8e6;
    glob_t files;
    assert_int_equal(glob(STOCK_CFGS, 0, NULL, &files), 0);
    int compared = 0;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        gdrq_outline outline;
        gdrq_error err = {""};
        if (gdrq_outline_read(files.gl_pathv[i], &outline, &err) != GDRQ_OK)
            fail_msg("%s", err.message);
        if (count_weights(&outline) < small) {
            compare_with_host(&outline);
            compared++;
        }
        gdrq_outline_free(&outline);
    }
    assert_true(compared >= 8);
    globfree(&files);
}

static void every_type_has_the_hosts_shapes(void **state) {
    (void)state;
    static const char *const cfgs[] = {
        NET CONV8 "[max]\nsize=2\nstride=2\n[upsample]\nstride=2\n[shortcut]\nfrom=-3\n"
                  "activation=linear\n[upsample]\nstride=-2\n[avg]\n[dropout]\n[conn]\noutput=10\n"
                  "[soft]\n[cost]\n",
        NET "[crop]\ncrop_width=28\ncrop_height=24\nnoadjust=1\n[conv]\nfilters=16\nsize=3\n"
            "stride=2\npadding=1\ngroups=1\n[lrn]\n[reorg]\nstride=2\n[reorg]\nreverse=1\n"
            "stride=4\n[reorg]\nflatten=1\n[reorg]\nextra=7\n[activation]\nactivation=tanh\n"
            "[l2norm]\n[logistic]\n",
        NET "[deconv]\nfilters=4\nsize=4\nstride=2\npadding=1\n[local]\nfilters=2\nsize=3\npad=1\n"
            "stride=2\n[convolutional]\nfilters=8\nsize=5\ngroups=2\npad=1\n",
        "[net]\nwidth=12\nheight=20\nchannels=3\nbatch=8\nsubdivisions=2\ntime_steps=3\n" CONV8
        "[convolutional]\nfilters=8\nsize=5\npad=1\n[crnn]\nhidden_filters=3\noutput_filters=5\n"
        "[batchnorm]\n[rnn]\noutput=7\n[gru]\noutput=6\n[lstm]\noutput=5\n",
        NET CONV8 "[route]\nlayers=-1,0\n" SQUARE "[route]\nlayers=0,2\n[route]\nlayers=1,2,0\n"
                  "[connected]\noutput=5\n[route]\nlayers=-1,-1\n[softmax]\ngroups=2\n",
        NET SQUARE YOLO "[route]\nlayers=0\n" YOLO,
        NET "[convolutional]\nfilters=50\n[region]\nclasses=5\nnum=5\n",
        NET "[connected]\noutput=588\n[detection]\ncoords=4\nclasses=2\nnum=2\nside=7\n",
        NET "[convolutional]\nfilters=7\n[iseg]\nclasses=3\nids=4\n",
        NET SQUARE "[shortcut]\nfrom=-1\n" CONV8 "[maxpool]\nstride=2\n[shortcut]\nfrom=0\n"
                   "activation=leaky\nalpha=2\nbeta=.5\n",
    };
    for (size_t i = 0; i < sizeof cfgs / sizeof cfgs[0]; i++) {
        gdrq_outline outline;
        parse(cfgs[i], &outline);
        compare_with_host(&outline);
        gdrq_outline_free(&outline);
    }
}

static void layers_know_what_they_read(void **state) {
    (void)state;
    gdrq_outline o;
    parse(NET "[maxpool]\nsize=2\nstride=2\n" CONV8 "[upsample]\nscale=2\n[route]\nlayers=-3,1\n"
              "[shortcut]\nfrom=1\nalpha=.5\nbeta=3\nactivation=relu\n",
          &o);
    assert_int_equal(o.n, 5);
    assert_int_equal(o.layers[0].reads[0], -1);
    assert_true(o.layers[0].keeps_values);
    assert_int_equal(o.layers[1].reads[0], 0);
    assert_false(o.layers[1].keeps_values);
    assert_int_equal(o.layers[1].activation, LEAKY);
    assert_false(o.layers[2].keeps_values);
    assert_int_equal(o.layers[3].n_reads, 2);
    assert_int_equal(o.layers[3].reads[0], 0);
    assert_int_equal(o.layers[3].reads[1], 1);
    assert_true(o.layers[3].keeps_values);
    assert_int_equal(o.layers[4].n_reads, 2);
    assert_int_equal(o.layers[4].reads[0], 3);
    assert_int_equal(o.layers[4].reads[1], 1);
    assert_int_equal(o.layers[4].activation, RELU);
    assert_true(o.layers[4].alpha == .5f && o.layers[4].beta == 3.f);
    assert_true(o.layers[3].alpha == 1.f && o.layers[3].beta == 1.f);
    int *tensors = gdrq_tensor_union(&o);
    assert_non_null(tensors);
    /* The route joins the pooled input with layer 1's output; the others stand alone. */
    static const int expected[] = {-1, -1, -1, 2, -1, 4};
    assert_memory_equal(tensors, expected, sizeof expected);
    free(tensors);
    gdrq_outline_free(&o);
    gdrq_outline_free(&o);
}

static void tensor_classes_start_at_their_lowest_layer(void **state) {
    (void)state;
    gdrq_outline o;
    parse(NET CONV8 CONV8 "[maxpool]\nsize=1\n" CONV8 "[route]\nlayers=-1,0\n[route]\nlayers=2,4\n"
                          "[dropout]\n",
          &o);
    int *tensors = gdrq_tensor_union(&o);
    assert_non_null(tensors);
    static const int expected[] = {-1, 0, 0, 0, 0, 0, 0, 0};
    assert_memory_equal(tensors, expected, sizeof expected);
    free(tensors);
    gdrq_outline_free(&o);
}

static void quantised_options_have_defaults(void **state) {
    (void)state;
    gdrq_outline o;
    parse(NET "[gdrq_convolutional]\nfilters=6\n[gdrq_convolutional]\nfilters=12\n"
              "[gdrq_connected]\noutput=5\n",
          &o);
    const gdrq_layer_options *q = &o.layers[1].options;
    assert_true(o.layers[1].quantised);
    assert_int_equal(o.layers[1].type, CONVOLUTIONAL);
    assert_int_equal(q->weight_bits, 4);
    assert_int_equal(q->activation_bits, 4);
    assert_int_equal(q->quant_groups, 12);
    assert_true(q->k_weights == 2 && q->k_activations == 14 && q->activation_momentum == .001f);
    assert_int_equal(q->threshold_weights, GDRQ_THRESHOLD_LEARNED);
    assert_int_equal(q->threshold_activations, GDRQ_THRESHOLD_LEARNED);
    assert_int_equal(q->weight_gradient, GDRQ_WEIGHT_GRADIENT_MASK);
    assert_int_equal(q->activation_range, GDRQ_RANGE_AUTO);
    assert_int_equal(q->quantize_after, 0);
    assert_int_equal(q->reshape, GDRQ_RESHAPE_PROJECT);
    /* One group per output of a connected layer. */
    assert_true(o.layers[2].quantised);
    assert_int_equal(o.layers[2].type, CONNECTED);
    assert_int_equal(o.layers[2].options.quant_groups, 5);
    assert_int_equal(o.layers[2].options.activation_bits, 4);
    /* Layer 0 reads pixels. */
    assert_int_equal(o.layers[0].options.activation_bits, 8);
    assert_int_equal(o.layers[0].options.weight_bits, 4);
    gdrq_outline_free(&o);
}

/* With more bits the tails are worth keeping. */
static void k_follows_the_bits(void **state) {
    (void)state;
    static const float weights[] = {2, 2, 2, 4, 6, 8, 10},
                       activations[] = {10, 10, 14, 14, 14, 14, 14};
    for (int bits = 2; bits <= 8; bits++) {
        char text[256];
        snprintf(text, sizeof text,
                 NET CONV8 "[gdrq_convolutional]\nfilters=6\nweight_bits=%d\nactivation_bits=%d\n",
                 bits, bits);
        gdrq_outline o;
        parse(text, &o);
        assert_true(o.layers[1].options.k_weights == weights[bits - 2]);
        assert_true(o.layers[1].options.k_activations == activations[bits - 2]);
        gdrq_outline_free(&o);
    }
}

static void net_sets_the_defaults_of_quantised_layers(void **state) {
    (void)state;
    gdrq_outline o;
    parse("[net]\nwidth=32\nheight=32\nchannels=3\nweight_bits=3\nactivation_bits=5\n"
          "quant_groups=4\nk_weights=2.5\nk_activations=4\nactivation_momentum=.5\n"
          "quantize_after=100\nreshape=copy\nactivation_range=signed\nthreshold=scale\n"
          "[maxpool]\nsize=2\n[gdrq_convolutional]\nfilters=8\n[gdrq_convolutional]\nfilters=8\n"
          "[gdrq_convolutional]\nfilters=6\nweight_bits=8\nactivation_bits=2\nquant_groups=3\n"
          "reshape=project\nactivation_range=offset\nquantize_after=7\n"
          "[gdrq_connected]\noutput=12\n[gdrq_connected]\noutput=9\nweight_bits=6\n"
          "activation_bits=7\nquant_groups=9\nk_weights=1.5\nk_activations=3\n"
          "threshold_weights=scale\nthreshold_activations=scale\nactivation_range=unsigned\n"
          "activation_momentum=.25\nquantize_after=0\nreshape=project\n",
          &o);
    const gdrq_layer_options *first = &o.layers[1].options, *q = &o.layers[2].options,
                             *own = &o.layers[3].options, *connected = &o.layers[5].options;
    assert_int_equal(first->activation_bits, 8); /* pixels, through the maxpool */
    assert_int_equal(first->weight_bits, 3);
    assert_int_equal(q->weight_bits, 3);
    assert_int_equal(q->activation_bits, 5);
    assert_int_equal(q->quant_groups, 4);
    assert_true(q->k_weights == 2.5f && q->k_activations == 4 && q->activation_momentum == .5f);
    assert_int_equal(q->quantize_after, 100);
    assert_int_equal(q->reshape, GDRQ_RESHAPE_COPY);
    assert_int_equal(q->activation_range, GDRQ_RANGE_SIGNED);
    /* The same for connected layers. */
    assert_memory_equal(&o.layers[4].options, q, sizeof *q);
    assert_true(o.layers[5].quantised && o.layers[5].type == CONNECTED);
    assert_int_equal(connected->weight_bits, 6);
    assert_int_equal(connected->activation_bits, 7);
    assert_int_equal(connected->quant_groups, 9);
    assert_true(connected->k_weights == 1.5f && connected->k_activations == 3);
    assert_true(connected->activation_momentum == .25f);
    assert_int_equal(connected->quantize_after, 0);
    assert_int_equal(connected->reshape, GDRQ_RESHAPE_PROJECT);
    assert_int_equal(connected->activation_range, GDRQ_RANGE_UNSIGNED);
    assert_int_equal(own->weight_bits, 8);
    assert_int_equal(own->activation_bits, 2);
    assert_int_equal(own->quant_groups, 3);
    assert_int_equal(own->quantize_after, 7);
    assert_int_equal(own->reshape, GDRQ_RESHAPE_PROJECT);
    assert_int_equal(own->activation_range, GDRQ_RANGE_OFFSET);
    gdrq_outline_free(&o);
}

static void translation_is_stock(void **state) {
    (void)state;
    gdrq_outline o;
    char *text;
    parse("[network]\r\nwidth = 32 # pixels\r\nheight=32\r\nchannels=3\r\nchannels=3\r\n"
          "weight_bits=4\r\nmosaic=1\r\n"
          "[gdrq_convolutional]\r\nfilters=4\r\nquant_groups=2\r\nbinary=0\r\ndilation=1\r\n"
          "[gdrq_connected]\r\noutput=3\r\nreshape=copy\r\nbatch_normalize=0\r\n"
          "[max]\r\nstride=2\r\nstride_x=2",
          &o);
    assert_int_equal(gdrq_outline_translate(&o, &text, NULL), GDRQ_OK);
    assert_string_equal(text, "[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=4\n"
                              "[connected]\noutput=3\nbatch_normalize=0\n[maxpool]\nstride=2\n");
    free(text);
    gdrq_outline_free(&o);
}

static void keys_of_other_darknets_are_noted(void **state) {
    (void)state;
    gdrq_outline o;
    parse("[net]\nwidth=32\nheight=32\nchannels=3\nbatch=64\nsubdivisions=16\nmosaic=1\nbatch=1\n"
          "k_weights=3\n" YOLO "scale_x_y=1.05\niou_loss=ciou\n",
          &o);
    assert_int_equal(o.n_notes, 5);
    assert_string_equal(o.notes[0], "net.cfg:7: [net] mosaic has no effect in this Darknet");
    assert_string_equal(o.notes[1],
                        "net.cfg:8: [net] batch=1 has no effect: batch=64 in line 5 counts");
    assert_string_equal(o.notes[2], "net.cfg:18: [yolo] scale_x_y has no effect in this Darknet: "
                                    "boxes are decoded without it");
    assert_string_equal(o.notes[3], "net.cfg:19: [yolo] iou_loss has no effect in this Darknet");
    assert_string_equal(o.notes[4], "net.cfg:9: [net] k_weights has no effect: there is no "
                                    "[gdrq_convolutional] or [gdrq_connected]");
    assert_int_equal(o.batch, 4);
    assert_null(o.untrainable);
    gdrq_outline_free(&o);
}

static void networks_that_only_run_are_noted(void **state) {
    (void)state;
    static const struct {
        const char *text, *why; /* NULL: it can be trained */
    } cases[] = {
        {NET "[maxpool]\nsize=2\n" CONV8, "layer 0 [maxpool]"},
        {NET "[maxpool]\nsize=2\n[convolutional]\nstopbackward=1\n", NULL},
        {NET "[maxpool]\nsize=2\nstopbackward=1\n" CONV8, NULL},
        {NET "[crop]\ncrop_width=8\ncrop_height=8\n[dropout]\n[avgpool]\n", "layer 2 [avgpool]"},
        {NET "[crop]\ncrop_width=8\ncrop_height=8\n" CONV8, NULL},
        {NET "[crop]\ncrop_width=8\ncrop_height=8\n" CONV8 "[route]\nlayers=0,1\n",
         "layer 2 [route]"},
        {NET CONV8 "[lstm]\noutput=3\n", "layer 1 [lstm]"},
        {NET CONV8 "[rnn]\noutput=3\nstopbackward=1\n", "layer 1 [rnn]"},
        {NET CONV8 "binary=1\n", "layer 0 [convolutional]"},
        {NET CONV8 "binary=1\nbatch_normalize=1\n", NULL},
        {NET "[connected]\nbatch_normalize=1\n", "batch norm of a single value"},
        {NET "batch=2\n[connected]\nbatch_normalize=1\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gdrq_outline o;
        parse(cases[i].text, &o);
        if (cases[i].why) {
            assert_non_null(o.untrainable);
            assert_int_equal(o.n_notes, 1);
            assert_string_equal(o.untrainable, o.notes[0]);
            if (!strstr(o.untrainable, cases[i].why))
                fail_msg("case %zu: %s", i, o.untrainable);
        } else {
            assert_null(o.untrainable);
        }
        gdrq_outline_free(&o);
    }
}

static void what_takes_a_gpu_is_noted(void **state) {
    (void)state;
    gdrq_outline o;
    parse(NET CONV8 "[cost]\ntype=seg\nsmooth=.1\nratio=0\nthresh=2\nnoobj=.5\n", &o);
    assert_int_equal(o.n_notes, 3);
    assert_string_equal(o.notes[0], "net.cfg:12: [cost] smooth has an effect on a GPU only");
    assert_string_equal(o.notes[1], "net.cfg:14: [cost] thresh has an effect on a GPU only");
    assert_string_equal(o.notes[2], "net.cfg:11: [cost] type=seg is type=sse without a GPU");
    assert_null(o.untrainable);
    gdrq_outline_free(&o);
    parse(NET CONV8 "[cost]\ntype=masked\n", &o);
    assert_int_equal(o.n_notes, 0);
    gdrq_outline_free(&o);
}

typedef struct bad_cfg {
    const char *text;
    const char *place;   /* how the message begins, behind "net.cfg:" */
    const char *details; /* what it contains further on */
} bad_cfg;

static const bad_cfg bad_cfgs[] = {
#include "bad_cfgs.inc"
};

/* Whether the cfg is refused as it says; prints what is wrong otherwise. */
static bool is_refused(const bad_cfg *bad) {
    static const char file[] = "net.cfg:";
    gdrq_outline o;
    gdrq_error err = {""};
    const gdrq_status status =
        gdrq_outline_parse("net.cfg", bad->text, strlen(bad->text), &o, &err);
    if (status == GDRQ_ERROR_FORMAT && !o.layers && !o.notes &&
        strncmp(err.message, file, strlen(file)) == 0 &&
        strncmp(err.message + strlen(file), bad->place, strlen(bad->place)) == 0 &&
        strstr(err.message, bad->details) && !strchr(err.message, '\n'))
        return true;
    print_error("status %d '%s' lacks '%s' or '%s'\n", status, err.message, bad->place,
                bad->details);
    gdrq_outline_free(&o);
    return false;
}

static void bad_cfgs_are_refused(void **state) {
    (void)state;
    int accepted = 0;
    for (size_t i = 0; i < sizeof bad_cfgs / sizeof bad_cfgs[0]; i++)
        accepted += !is_refused(&bad_cfgs[i]);
    assert_int_equal(accepted, 0);
}

/* Appends layers, each a number of times, and expects a refusal in time and within memory. */
static void large_cfgs_are_bounded(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    gdrq_outline o;
    gdrq_error err = {""};
    FILE *out = open_memstream(&text, &size);
    fputs(NET CONV8, out);
    for (int i = 0; i < 70000; i++)
        fputs("[max]\n", out);
    fclose(out);
    assert_int_equal(gdrq_outline_parse("net.cfg", text, size, &o, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "at most 65536"));
    free(text);
    out = open_memstream(&text, &size);
    fputs(NET CONV8 "[route]\nlayers=0", out);
    for (int i = 0; i < 300000; i++)
        fputs(",-1", out);
    fclose(out);
    assert_int_equal(gdrq_outline_parse("net.cfg", text, size, &o, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "more than the 2147483647"));
    free(text);
}

/* Trees and maps of classes. */
static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static gdrq_status parse_with_file(const char *format, const char *path, gdrq_error *err) {
    char text[512];
    gdrq_outline o;
    snprintf(text, sizeof text, format, path);
    const gdrq_status status = gdrq_outline_parse("net.cfg", text, strlen(text), &o, err);
    gdrq_outline_free(&o);
    return status;
}

static void class_files_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *content, *expected; /* NULL: accepted */
    } trees[] = {
        {"animal -1\nplant -1\ncat 0\n", NULL},
        {"animal -1\r\nplant -1\r\ncat 0", NULL},
        {"animal -1\nplant -1\n", "has 2 lines"},
        {"animal -1\nplant -1\ncat 2\n", "line 3 of that file"},
        {"animal 0\nplant -1\ncat 0\n", "line 1 of that file"},
        {"animal -1\n\ncat 0\n", "line 2 of that file"},
        {"animal -1\nplant\ncat 0\n", "line 2 of that file"},
        {"animal -1\nplant -1x\ncat 0\n", "line 2 of that file"},
    };
    char path[] = P_tmpdir "/gdrq-test-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        gdrq_error err = {""};
        write_file(path, trees[i].content);
        const gdrq_status status =
            parse_with_file(NET "[connected]\noutput=3\n[softmax]\ntree=%s\n", path, &err);
        if (status != (trees[i].expected ? GDRQ_ERROR_FORMAT : GDRQ_OK) ||
            (trees[i].expected && !strstr(err.message, trees[i].expected)))
            fail_msg("tree %zu: status %d %s", i, status, err.message);
    }
    gdrq_error err = {""};
    write_file(path, "2\n0\n");
    assert_int_equal(parse_with_file(NET YOLO "map=%s\n", path, &err), GDRQ_OK);
    write_file(path, "2\n3\n");
    assert_int_equal(parse_with_file(NET YOLO "map=%s\n", path, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(
        strstr(err.message, "line 2 of that file is wrong; write one class from 0 to 2"));
    unlink(path);
    assert_int_equal(parse_with_file(NET YOLO "map=%s\n", path, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "can't open"));
}

/* Changes bytes, lines and numbers of a cfg at random. */
static void mutate(char *text, size_t size, unsigned *seed) {
    static const char interesting[] = "0123456789-,.=[]#\n\r e";
    static const char *const numbers[] = {"0", "-1", "2147483647", "99999999999", "1e9", "3,3"};
    for (int n = rand_r(seed) % 4 + 1; n > 0; n--) {
        const size_t length = strlen(text), at = (size_t)rand_r(seed) % length;
        char *value = strchr(text + at, '=');
        const char *number = numbers[(size_t)rand_r(seed) % 6];
        switch (rand_r(seed) % 3) {
        case 0:
            text[at] = interesting[(size_t)rand_r(seed) % (sizeof interesting - 1)];
            break;
        case 1:
            memmove(text + at, text + at + 1, length - at);
            break;
        default:
            if (value && length + strlen(number) + 2 < size) {
                char *end = value + strcspn(value, "\n");
                memmove(value + 1 + strlen(number), end, strlen(end) + 1);
                memcpy(value + 1, number, strlen(number));
            }
        }
    }
}

/* Whatever is accepted must translate into a cfg that is accepted with the same shapes. */
static void mutated_cfgs_are_refused_or_consistent(void **state) {
    (void)state;
    static const char *const cfgs[] = {
        NET CONV8 "[maxpool]\nsize=2\nstride=2\npadding=1\n[reorg]\nstride=2\n[upsample]\n"
                  "[shortcut]\nfrom=-3\n[route]\nlayers=-1,0\n[dropout]\n" YOLO "max=90\n",
        "[net]\nbatch=8\nsubdivisions=2\ntime_steps=2\npolicy=steps\nsteps=1,2\nscales=.1,.1\n" //
        "width=32\nheight=32\nchannels=3\nweight_bits=4\nquant_groups=2\n"
        "[gdrq_convolutional]\nfilters=8\nsize=3\npad=1\ngroups=1\n[deconv]\nsize=4\nstride=2\n"
        "[local]\nsize=3\npad=1\n[crop]\ncrop_width=4\ncrop_height=4\n[lrn]\n[gdrq_connected]\n"
        "output=8\n[rnn]\noutput=6\n[softmax]\ngroups=2\n[cost]\n",
    };
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (int i = 0; i < 20000; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s", cfgs[i % 2]);
        mutate(text, sizeof text, &seed);
        gdrq_outline a, b;
        if (gdrq_outline_parse("net.cfg", text, strlen(text), &a, NULL) != GDRQ_OK)
            continue;
        char *translated;
        gdrq_error err = {""};
        assert_int_equal(gdrq_outline_translate(&a, &translated, NULL), GDRQ_OK);
        if (gdrq_outline_parse("again.cfg", translated, strlen(translated), &b, &err) != GDRQ_OK)
            fail_msg("%s\nof\n%s", err.message, text);
        assert_int_equal(a.n, b.n);
        for (int l = 0; l < a.n; l++)
            assert_shape(&b.layers[l], shape_of_outline(&a.layers[l]));
        free(translated);
        gdrq_outline_free(&a);
        gdrq_outline_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stock_cfgs_have_the_hosts_shapes),
        cmocka_unit_test(every_type_has_the_hosts_shapes),
        cmocka_unit_test(layers_know_what_they_read),
        cmocka_unit_test(tensor_classes_start_at_their_lowest_layer),
        cmocka_unit_test(quantised_options_have_defaults),
        cmocka_unit_test(k_follows_the_bits),
        cmocka_unit_test(net_sets_the_defaults_of_quantised_layers),
        cmocka_unit_test(translation_is_stock),
        cmocka_unit_test(keys_of_other_darknets_are_noted),
        cmocka_unit_test(networks_that_only_run_are_noted),
        cmocka_unit_test(what_takes_a_gpu_is_noted),
        cmocka_unit_test(bad_cfgs_are_refused),
        cmocka_unit_test(large_cfgs_are_bounded),
        cmocka_unit_test(class_files_are_checked),
        cmocka_unit_test(mutated_cfgs_are_refused_or_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
