/* Other bits for the layers of a cfg: what changes, and that nothing else does. */
#include "cfg_files.h"

#include "gdrq.h"

static void assert_becomes(const fixture *f, const char *in, const gdrq_layer_bits *bits, int n,
                           const char *expected) {
    gdrq_error err = {""};
    write_file(f->in, in);
    if (gdrq_cfg_set_bits(f->in, f->out, bits, n, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    char *out = read_text(f->out);
    assert_string_equal(out, expected);
    free(out);
}

static const char *const network_text =
    "# first\n[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=4 # all\nactivation_bits=4\n\n"
    "[gdrq_convolutional] # one\nfilters=4\n weight_bits = 8 # of pixels\n\n"
    "[maxpool]\nsize=2\n"
    "[gdrq_convolutional]\nfilters=6\n"
    "[conv]\nfilters=5\n"
    "[gdrq_connected]\nactivation_bits=8\nactivation=linear\noutput=2\n[softmax]\n";

static void keys_are_changed_or_added(void **state) {
    const gdrq_layer_bits bits[] = {{0, 3, 0}, {2, 6, 5}, {4, 2, 3}};
    assert_becomes(*state, network_text, bits, 3,
                   "# first\n[net]\nwidth=8\nheight=8\nchannels=3\nweight_bits=4 # all\n"
                   "activation_bits=4\n\n"
                   "[gdrq_convolutional] # one\nfilters=4\n weight_bits = 3 # of pixels\n\n"
                   "[maxpool]\nsize=2\n"
                   "[gdrq_convolutional]\nweight_bits=6\nactivation_bits=5\nfilters=6\n"
                   "[conv]\nfilters=5\n"
                   "[gdrq_connected]\nweight_bits=2\nactivation_bits=3\nactivation=linear\n"
                   "output=2\n[softmax]\n");
}

static void bits_that_it_has_stay(void **state) {
    const gdrq_layer_bits bits[] = {{0, 8, 0}, {2, 4, 4}, {4, 0, 8}};
    assert_becomes(*state, network_text, bits, 3, network_text);
    assert_becomes(*state, network_text, NULL, 0, network_text);
}

static void ends_of_lines_stay(void **state) {
    const gdrq_layer_bits bits[] = {{0, 3, 0}, {1, 7, 0}, {2, 2, 2}};
    assert_becomes(
        *state,
        "[net]\r\nwidth=8\r\nheight=8\r\nchannels=3\r\n[gdrq_convolutional]\r\nweight_bits=5\r\n"
        "weight_bits=5\r\n[gdrq_convolutional]\r\nactivation_bits=4\r\n[gdrq_convolutional]",
        bits, 3,
        "[net]\r\nwidth=8\r\nheight=8\r\nchannels=3\r\n[gdrq_convolutional]\r\nweight_bits=3\r\n"
        "weight_bits=3\r\n[gdrq_convolutional]\r\nweight_bits=7\r\nactivation_bits=4\r\n"
        "[gdrq_convolutional]\r\nweight_bits=2\r\nactivation_bits=2");
    const gdrq_layer_bits last[] = {{0, 3, 0}};
    assert_becomes(
        *state, "[net]\nwidth=8\nheight=8\nchannels=3\n[gdrq_convolutional]\nweight_bits=5", last,
        1, "[net]\nwidth=8\nheight=8\nchannels=3\n[gdrq_convolutional]\nweight_bits=3");
}

/* As a command may do that edits a cfg in place. */
static void a_file_may_replace_itself(void **state) {
    const fixture *f = *state;
    gdrq_error err;
    write_file(f->in, network_text);
    assert_int_equal(gdrq_cfg_set_bits(f->in, f->in, &(gdrq_layer_bits){2, 5, 0}, 1, &err),
                     GDRQ_OK);
    assert_int_equal(gdrq_cfg_set_bits(f->in, f->out, &(gdrq_layer_bits){2, 4, 0}, 1, &err),
                     GDRQ_OK);
    char *out = read_text(f->out);
    assert_non_null(strstr(out, "[gdrq_convolutional]\nweight_bits=4\nfilters=6\n"));
    free(out);
}

static void assert_refused(const fixture *f, const char *in, gdrq_layer_bits bits,
                           gdrq_status status, const char *says) {
    gdrq_error err = {""};
    write_file(f->in, in);
    assert_int_equal(gdrq_cfg_set_bits(f->in, f->out, &bits, 1, &err), status);
    if (!strstr(err.message, says))
        fail_msg("%s", err.message);
    assert_int_equal(access(f->out, F_OK), -1);
}

static void what_can_not_be_is_refused(void **state) {
    const fixture *f = *state;
    static const gdrq_layer_bits bad[] = {{-1, 4, 4}, {6, 4, 4}, {1, 4, 4},  {3, 4, 4},
                                          {2, 1, 4},  {2, 9, 4}, {2, 4, -1}, {2, 4, 16}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(f, network_text, bad[i], GDRQ_ERROR_ARGUMENT,
                       "only quantised ones can, from 2 to 8");
    assert_refused(f, "[net]\nwidth=8\nheight=8\nchannels=3\n[gdrq_convolutional]\nweight_bits=1\n",
                   (gdrq_layer_bits){0, 4, 0}, GDRQ_ERROR_FORMAT, "weight_bits");
    /* Two layers that read one tensor. */
    assert_refused(
        f,
        "[net]\nwidth=8\nheight=8\nchannels=3\n[gdrq_convolutional]\n[gdrq_convolutional]\n"
        "[route]\nlayers=-2\n[gdrq_convolutional]\n",
        (gdrq_layer_bits){1, 0, 6}, GDRQ_ERROR_FORMAT, "activation_bits");
    unlink(f->in);
    gdrq_error err;
    assert_int_equal(gdrq_cfg_set_bits(f->in, f->out, NULL, 0, &err), GDRQ_ERROR_IO);
    write_file(f->in, network_text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_are_changed_or_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bits_that_it_has_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ends_of_lines_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_may_replace_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_can_not_be_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
