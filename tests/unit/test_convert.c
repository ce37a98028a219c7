/* Converting a stock cfg: what changes, and that nothing else does. */
#include "cfg_files.h"

#include "host/outline.h"
#include "host/tensor_class.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STOCK_CFGS "/usr/share/darknet/cfg/*.cfg"

static void assert_converts(const fixture *f, const char *in, const gdrq_convert_options *options,
                            const char *expected) {
    gdrq_error err = {""};
    write_file(f->in, in);
    if (gdrq_convert_cfg(f->in, f->out, options, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    char *out = read_text(f->out);
    assert_string_equal(out, expected);
    free(out);
}

static void everything_else_stays(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(
        *state,
        "# a network\n[net]\nwidth=8 # small\nheight = 8\nchannels=3\nema=.9\n\n# layers\n"
        "[ conv ] # one\nfilters=4\n\n[convolutional]\nfilters=6\n;[convolutional]\n"
        "[convolutional]\nfilters=5\n[avgpool]\n[softmax]",
        &options,
        "# a network\n[net]\nwidth=8 # small\nheight = 8\nchannels=3\nema=.9\nweight_bits=4\n"
        "activation_bits=4\n\n# layers\n"
        "[gdrq_convolutional] # one\nweight_bits=8\nfilters=4\n\n"
        "[gdrq_convolutional]\nfilters=6\n;[convolutional]\n"
        "[gdrq_convolutional]\nweight_bits=8\nactivation_bits=8\nfilters=5\n"
        "[avgpool]\n[softmax]");
}

static void carriage_returns_stay(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(*state,
                    "[net]\r\nwidth=8\r\nheight=8\r\nchannels=3\r\n\r\n[conv]\r\nfilters=4\r\n"
                    "[conv]",
                    &options,
                    "[net]\r\nwidth=8\r\nheight=8\r\nchannels=3\r\nweight_bits=4\r\n"
                    "activation_bits=4\r\n\r\n[gdrq_convolutional]\r\nweight_bits=8\r\n"
                    "filters=4\r\n[gdrq_convolutional]");
}

static void last_line_needs_no_end(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(*state, "[net]\r\nwidth=8\r\nheight=8\r\nchannels=3\r\n[conv]", &options,
                    "[net]\r\nwidth=8\r\nheight=8\r\nchannels=3\r\nweight_bits=4\r\n"
                    "activation_bits=4\r\n[gdrq_convolutional]\r\nweight_bits=8");
}

static void options_choose_the_bits(void **state) {
    const gdrq_convert_options options = {.first_weight_bits = 6,
                                          .head_weight_bits = 5,
                                          .head_activation_bits = 3,
                                          .weight_bits = 2,
                                          .activation_bits = 7};
    assert_converts(*state,
                    "[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\nfilters=4\n[conv]\n[conv]\n"
                    "filters=8\n[yolo]\nclasses=3\nanchors=1,2\n",
                    &options,
                    "[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=2\nactivation_bits=7\n"
                    "[gdrq_convolutional]\nweight_bits=6\nfilters=4\n[gdrq_convolutional]\n"
                    "[gdrq_convolutional]\nweight_bits=5\nactivation_bits=3\n"
                    "filters=8\n[yolo]\nclasses=3\nanchors=1,2\n");
}

static void readers_of_a_tensor_get_the_same_bits(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(*state,
                    "[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\nfilters=4\n[maxpool]\nsize=2\n"
                    "[conv]\nfilters=8\n[yolo]\nclasses=3\nanchors=1,2\n[route]\nlayers=0\n"
                    "[conv]\nfilters=2\n[conv]\nfilters=8\n[yolo]\nclasses=3\nanchors=1,2\n",
                    &options,
                    "[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=4\nactivation_bits=4\n"
                    "[gdrq_convolutional]\nweight_bits=8\nfilters=4\n[maxpool]\nsize=2\n"
                    "[gdrq_convolutional]\nweight_bits=8\nactivation_bits=8\nfilters=8\n"
                    "[yolo]\nclasses=3\nanchors=1,2\n[route]\nlayers=0\n"
                    "[gdrq_convolutional]\nactivation_bits=8\nfilters=2\n"
                    "[gdrq_convolutional]\nweight_bits=8\nactivation_bits=8\nfilters=8\n"
                    "[yolo]\nclasses=3\nanchors=1,2\n");
}

static void cropped_pixels_keep_their_bits(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(*state,
                    "[net]\nwidth=8\nheight=8\nchannels=3\n[crop]\ncrop_width=4\ncrop_height=4\n"
                    "[conv]\n[conv]\n",
                    &options,
                    "[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=4\nactivation_bits=4\n"
                    "[crop]\ncrop_width=4\ncrop_height=4\n[gdrq_convolutional]\nweight_bits=8\n"
                    "activation_bits=8\n[gdrq_convolutional]\n");
}

static void binary_convolutions_stay(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(*state,
                    "[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\nfilters=4\n[conv]\nbinary=1\n"
                    "[conv]\nxnor=1\n[conv]\nxnor=0\n",
                    &options,
                    "[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=4\nactivation_bits=4\n"
                    "[gdrq_convolutional]\nweight_bits=8\nfilters=4\n[conv]\nbinary=1\n"
                    "[conv]\nxnor=1\n[gdrq_convolutional]\nxnor=0\n");
}

static void thresholds_are_written_on_request(void **state) {
    gdrq_convert_options options = gdrq_convert_defaults();
    options.threshold = "learned";
    assert_converts(*state, "[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\n[maxpool]\n", &options,
                    "[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=4\nactivation_bits=4\n"
                    "threshold=learned\n[gdrq_convolutional]\nweight_bits=8\n[maxpool]\n");
    options.threshold = "best";
    gdrq_error err;
    const fixture *f = *state;
    assert_int_equal(gdrq_convert_cfg(f->in, f->out, &options, &err), GDRQ_ERROR_ARGUMENT);
    assert_string_equal(err.message, "threshold is best; allowed: scale, search, learned");
}

/* [connected] under its alias, as the first layer, in the middle, and as a head behind dropout. */
static void connected_layers_convert(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(*state,
                    "[net]\nwidth=8\nheight=8\nchannels=3\n[conn] # one\noutput=4\n[connected]\n"
                    "output=6\n[connected]\noutput=5\n[dropout]\n[softmax]\n[cost]\n",
                    &options,
                    "[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=4\nactivation_bits=4\n"
                    "[gdrq_connected] # one\nweight_bits=8\noutput=4\n[gdrq_connected]\n"
                    "output=6\n[gdrq_connected]\nweight_bits=8\nactivation_bits=8\noutput=5\n"
                    "[dropout]\n[softmax]\n[cost]\n");
}

/* A head directly before [cost], behind convolutions; both read one tensor. */
static void readers_of_both_types_get_the_same_bits(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(*state,
                    "[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\nfilters=4\n[conv]\nfilters=2\n"
                    "[route]\nlayers=0\n[connected]\noutput=7\n[cost]\n",
                    &options,
                    "[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=4\nactivation_bits=4\n"
                    "[gdrq_convolutional]\nweight_bits=8\nfilters=4\n[gdrq_convolutional]\n"
                    "activation_bits=8\nfilters=2\n[route]\nlayers=0\n[gdrq_connected]\n"
                    "weight_bits=8\nactivation_bits=8\noutput=7\n[cost]\n");
}

/* Recurrent layers stay as they are; inputs that are no pixels need their bits. */
static void recurrent_layers_stay(void **state) {
    const gdrq_convert_options options = gdrq_convert_defaults();
    assert_converts(*state,
                    "[net]\ninputs=9\n[connected]\noutput=4\n[rnn]\noutput=4\n[lstm]\noutput=4\n"
                    "[gru]\noutput=4\n[connected]\noutput=3\n[connected]\noutput=2\n[softmax]\n",
                    &options,
                    "[net]\ninputs=9\nweight_bits=4\nactivation_bits=4\n[gdrq_connected]\n"
                    "weight_bits=8\nactivation_bits=8\noutput=4\n[rnn]\noutput=4\n[lstm]\n"
                    "output=4\n[gru]\noutput=4\n[gdrq_connected]\noutput=3\n[gdrq_connected]\n"
                    "weight_bits=8\nactivation_bits=8\noutput=2\n[softmax]\n");
}

static void a_file_may_be_replaced(void **state) {
    const fixture *f = *state;
    const gdrq_convert_options options = gdrq_convert_defaults();
    gdrq_error err = {""};
    write_file(f->in, "[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\n");
    assert_int_equal(gdrq_convert_cfg(f->in, f->in, &options, &err), GDRQ_OK);
    char *text = read_text(f->in);
    assert_non_null(strstr(text, "[gdrq_convolutional]"));
    /* A second time it is no stock cfg, and must stay as it is. */
    assert_int_equal(gdrq_convert_cfg(f->in, f->in, &options, &err), GDRQ_ERROR_FORMAT);
    char *again = read_text(f->in);
    assert_string_equal(again, text);
    free(again);
    free(text);
}

static void refusals_name_the_reason(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"[net]\nwidth=8\nheight=8\nchannels=3\n[gdrq_convolutional]\n",
         "in.cfg:5: layer 0 is [gdrq_convolutional] already"},
        {"[net]\nwidth=8\nheight=8\nchannels=3\nk_weights=2\n[conv]\n",
         "in.cfg:5: [net] has k_weights already"},
        {"[net]\nwidth=8\nheight=8\nchannels=3\n[maxpool]\n",
         "in.cfg: has no [convolutional] or [connected] to convert"},
        {"[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\nbinary=1\n",
         "in.cfg: has no [convolutional] or [connected] to convert"},
        {"[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\nfilter=1\n",
         "in.cfg:6: layer 0 [conv]: filter=1: unknown key; did you mean filters?"},
    };
    const gdrq_convert_options options = gdrq_convert_defaults();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gdrq_error err = {""};
        write_file(f->in, cases[i].text);
        assert_int_equal(gdrq_convert_cfg(f->in, f->out, &options, &err), GDRQ_ERROR_FORMAT);
        if (!strstr(err.message, cases[i].expected))
            fail_msg("'%s' instead of '%s'", err.message, cases[i].expected);
        assert_int_equal(access(f->out, F_OK), -1);
    }
    gdrq_error err = {""};
    gdrq_convert_options bad = options;
    bad.head_weight_bits = 9;
    assert_int_equal(gdrq_convert_cfg(f->in, f->out, &bad, &err), GDRQ_ERROR_ARGUMENT);
    assert_string_equal(err.message, "head_weight_bits is 9; allowed: 2 to 8");
    assert_int_equal(gdrq_convert_cfg("/nonexistent", f->out, &options, &err), GDRQ_ERROR_IO);
}

/* Removes what a conversion adds, line by line, which must give the stock file again. */
static void assert_only_additions(const char *stock, const char *converted) {
    while (*converted) {
        const size_t n = strcspn(converted, "\n") + 1, m = strcspn(stock, "\n") + 1;
        const bool added = strncmp(converted, "weight_bits=", 12) == 0 ||
                           strncmp(converted, "activation_bits=", 16) == 0;
        const bool header = (strncmp(converted, "[gdrq_convolutional]", 20) == 0 &&
                             strncmp(stock, "[convolutional]", 15) == 0) ||
                            (strncmp(converted, "[gdrq_connected]", 16) == 0 &&
                             strncmp(stock, "[connected]", 11) == 0);
        if (!added && !header && (n != m || strncmp(converted, stock, n) != 0))
            fail_msg("'%.*s' became '%.*s'", (int)m, stock, (int)n, converted);
        stock += added ? 0 : strnlen(stock, m);
        converted += strnlen(converted, n);
    }
    assert_int_equal(*stock, 0);
}

static void assert_classes_agree(const char *path) {
    gdrq_outline outline;
    gdrq_tensor_classes classes;
    gdrq_error err = {""};
    if (gdrq_outline_read(path, &outline, &err) != GDRQ_OK ||
        gdrq_tensor_classes_build(&outline, &classes, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    gdrq_tensor_classes_free(&classes);
    gdrq_outline_free(&outline);
}

static void stock_cfgs_convert(void **state) {
    const fixture *f = *state;
    const gdrq_convert_options options = gdrq_convert_defaults();
    glob_t files;
    assert_int_equal(glob(STOCK_CFGS, 0, NULL, &files), 0);
    int converted = 0;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        gdrq_error err = {""};
        char *stock = read_text(files.gl_pathv[i]);
        const gdrq_status status = gdrq_convert_cfg(files.gl_pathv[i], f->out, &options, &err);
        if (strstr(stock, "[convolutional]") || strstr(stock, "[connected]")) {
            if (status != GDRQ_OK)
                fail_msg("%s", err.message);
            char *text = read_text(f->out);
            assert_only_additions(stock, text);
            assert_classes_agree(f->out);
            free(text);
            converted++;
        } else {
            assert_int_equal(status, GDRQ_ERROR_FORMAT);
        }
        free(stock);
    }
    assert_true(converted >= 40);
    globfree(&files);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_else_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(carriage_returns_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(last_line_needs_no_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_choose_the_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_of_a_tensor_get_the_same_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cropped_pixels_keep_their_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(binary_convolutions_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(thresholds_are_written_on_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connected_layers_convert, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_of_both_types_get_the_same_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(recurrent_layers_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_may_be_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_name_the_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stock_cfgs_convert, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
