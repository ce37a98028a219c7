/* Which tensors share a threshold, and the range that each gets. */
#include <string.h>

#include "cmocka_all.h"
#include "host/tensor_class.h"

#define HEAD "[net]\nbatch=1\nwidth=16\nheight=16\nchannels=3\n"
#define CONV(kind, activation) "[" kind "]\nfilters=8\nsize=1\nactivation=" activation "\n"
#define READER CONV("gdrq_convolutional", "linear")

typedef struct parsed {
    gdrq_outline outline;
    gdrq_tensor_classes classes;
} parsed;

static parsed build(const char *text) {
    parsed p;
    gdrq_error err = {{0}};
    if (gdrq_outline_parse("test.cfg", text, strlen(text), &p.outline, &err) != GDRQ_OK ||
        gdrq_tensor_classes_build(&p.outline, &p.classes, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    return p;
}

static void release(parsed *p) {
    gdrq_tensor_classes_free(&p->classes);
    gdrq_outline_free(&p->outline);
}

/* The class that the last layer reads. */
static void assert_range(const char *text, gdrq_range expected) {
    parsed p = build(text);
    const int reader = p.outline.n - 1;
    assert_int_equal(p.classes.classes[p.classes.of_layer[reader]].range, expected);
    release(&p);
}

static void ranges_follow_the_producers(void **state) {
    (void)state;
    const gdrq_range u = GDRQ_RANGE_UNSIGNED, s = GDRQ_RANGE_SIGNED, o = GDRQ_RANGE_OFFSET;
    assert_range(HEAD READER, u);
    assert_range(HEAD CONV("convolutional", "relu") READER, u);
    assert_range(HEAD CONV("convolutional", "logistic") READER, u);
    assert_range(HEAD CONV("convolutional", "leaky") READER, o);
    assert_range(HEAD CONV("convolutional", "linear") READER, s);
    assert_range(HEAD CONV("convolutional", "tanh") READER, s);
    assert_range(HEAD CONV("convolutional", "leaky") "[maxpool]\nsize=2\nstride=2\n" READER, o);
    assert_range(HEAD CONV("convolutional", "relu") "[avgpool]\n" READER, u);
    assert_range(HEAD CONV("convolutional", "relu") "[upsample]\nscale=.5\n" READER, u);
    assert_range(HEAD CONV("convolutional", "relu") "[upsample]\nscale=-1\n" READER, s);
    /* A sum of values without a negative tail has none; an activation behind it decides anew. */
    assert_range(HEAD CONV("convolutional", "relu")
                     CONV("convolutional", "relu") "[shortcut]\nfrom=0\nactivation=linear\n" READER,
                 u);
    assert_range(HEAD CONV("convolutional", "relu") CONV(
                     "convolutional", "linear") "[shortcut]\nfrom=0\nactivation=linear\n" READER,
                 s);
    assert_range(HEAD CONV("convolutional", "linear") CONV(
                     "convolutional", "linear") "[shortcut]\nfrom=0\nactivation=leaky\n" READER,
                 o);
    /* Joined tensors take the wider range. */
    assert_range(HEAD CONV("convolutional", "relu")
                     CONV("convolutional", "leaky") "[route]\nlayers=0,1\n" READER,
                 o);
    assert_range(HEAD CONV("convolutional", "linear")
                     CONV("convolutional", "leaky") "[route]\nlayers=0,1\n" READER,
                 s);
    assert_range(HEAD CONV("convolutional",
                           "leaky") "[gdrq_convolutional]\nfilters=8\nsize=1\nactivation=linear\n"
                                    "activation_range=signed\n",
                 s);
}

static void joined_tensors_are_one_class(void **state) {
    (void)state;
    parsed p = build(HEAD CONV("convolutional", "leaky") /* 0 */
                     READER                              /* 1 reads 0 */
                     "[maxpool]\nsize=2\nstride=1\n"     /* 2 of 1 */
                     CONV("gdrq_convolutional", "leaky") /* 3 reads 1 by 2 */
                     "[route]\nlayers=-1,1\n"            /* 4 joins 3 and 1 */
                     "[upsample]\nstride=2\n"            /* 5 of 4 */
                     READER                              /* 6 reads it all */
                     "[upsample]\nstride=2\nscale=.5\n"  /* 7 does not keep values */
                     READER);                            /* 8 */
    const int *of = p.classes.of_layer;
    assert_int_equal(p.classes.n, 3);
    assert_int_equal(of[0], -1);
    assert_int_not_equal(of[1], of[3]);
    assert_int_equal(of[3], of[6]);
    assert_int_not_equal(of[8], of[6]);
    assert_int_equal(p.classes.classes[of[3]].tensor, 1);
    assert_int_equal(p.classes.classes[of[3]].first_reader, 3);
    assert_int_equal(p.classes.classes[of[3]].range, GDRQ_RANGE_SIGNED);
    release(&p);
}

static void pixels_are_eight_bits_with_a_fixed_threshold(void **state) {
    (void)state;
    parsed p = build(HEAD "[maxpool]\nsize=2\nstride=2\n" READER READER);
    const gdrq_running_threshold *t = &p.classes.classes[p.classes.of_layer[1]];
    assert_int_equal(t->tensor, -1);
    assert_int_equal(t->bits, 8);
    assert_true(t->fixed && t->threshold == 1);
    assert_int_equal(p.classes.classes[p.classes.of_layer[2]].bits, 4);
    release(&p);
}

/* An input without width, height and channels holds anything, connected layers read any shape. */
static void other_inputs_are_like_any_tensor(void **state) {
    (void)state;
    parsed p = build("[net]\nbatch=1\ninputs=9\nactivation_bits=5\n[gdrq_connected]\noutput=4\n"
                     "activation=relu\n[gdrq_connected]\noutput=3\n");
    const gdrq_running_threshold *t = &p.classes.classes[p.classes.of_layer[0]];
    assert_int_equal(t->tensor, -1);
    assert_int_equal(t->bits, 5);
    assert_int_equal(t->range, GDRQ_RANGE_SIGNED);
    assert_true(!t->fixed && t->threshold == 0);
    assert_int_equal(p.classes.classes[p.classes.of_layer[1]].range, GDRQ_RANGE_UNSIGNED);
    release(&p);
    /* With an image in front, the first layer reads pixels, of whatever type it is. */
    p = build(HEAD "[gdrq_connected]\noutput=4\n");
    assert_true(p.classes.classes[0].fixed && p.classes.classes[0].bits == 8);
    release(&p);
    assert_range(HEAD "[connected]\noutput=4\nactivation=leaky\n[dropout]\n[gdrq_connected]\n",
                 GDRQ_RANGE_OFFSET);
    assert_range(HEAD "[lstm]\noutput=4\n[gdrq_connected]\n", GDRQ_RANGE_SIGNED);
}

/* What a layer computes can't share the pixels' fixed threshold. */
static void pixels_joined_with_computed_values_are_an_error(void **state) {
    (void)state;
    static const char text[] =
        HEAD "[maxpool]\nsize=2\nstride=1\n" READER "[route]\nlayers=0,1\n" READER;
    gdrq_outline outline;
    gdrq_tensor_classes classes;
    gdrq_error err = {{0}};
    assert_int_equal(gdrq_outline_parse("test.cfg", text, strlen(text), &outline, &err), GDRQ_OK);
    assert_int_equal(gdrq_tensor_classes_build(&outline, &classes, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "layer 1 (line 9)"));
    assert_non_null(strstr(err.message, "pixels"));
    assert_non_null(strstr(err.message, "make it a [convolutional]"));
    gdrq_outline_free(&outline);
}

/* [net]'s defaults for activations are not for pixels; a section that insists is refused. */
static void pixels_are_always_unsigned(void **state) {
    (void)state;
    parsed p = build(HEAD "activation_range=signed\nk_activations=3\n" READER READER);
    assert_int_equal(p.classes.classes[p.classes.of_layer[0]].range, GDRQ_RANGE_UNSIGNED);
    assert_int_equal(p.classes.classes[p.classes.of_layer[1]].range, GDRQ_RANGE_SIGNED);
    release(&p);
    static const char text[] = HEAD READER "activation_range=signed\n";
    gdrq_outline outline;
    gdrq_error err = {{0}};
    assert_int_equal(gdrq_outline_parse("test.cfg", text, strlen(text), &outline, &err),
                     GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "activation_range"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_follow_the_producers),
        cmocka_unit_test(joined_tensors_are_one_class),
        cmocka_unit_test(pixels_joined_with_computed_values_are_an_error),
        cmocka_unit_test(other_inputs_are_like_any_tensor),
        cmocka_unit_test(pixels_are_always_unsigned),
        cmocka_unit_test(pixels_are_eight_bits_with_a_fixed_threshold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
