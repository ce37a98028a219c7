/* Flags as users write them: anywhere, in any spelling, and wrong. */
#include "cmocka_all.h"

#include "args.h"

#include <string.h>

typedef struct options {
    bool dont_show;
    int seed;
    float thresh;
    const char *out;
} options;

enum { MAX_WORDS = 16 };

/* Reads `line`, split at blanks, by a table that has one flag of each kind. */
static gdrq_status read_line(const char *line, options *o, arg_operands *operands,
                             gdrq_error *err) {
    static char text[256];
    char *words[MAX_WORDS];
    int n = 0;
    strcpy(text, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        words[n++] = word;
    *o = (options){.seed = 7, .thresh = .5f, .out = "predictions"};
    const arg_flag flags[] = {
        {.name = "dont_show", .on = &o->dont_show, .help = "a switch"},
        {.name = "seed",
         .value_name = "N",
         .integer = &o->seed,
         .min = -10,
         .max = 1000,
         .help = "an integer"},
        {.name = "thresh",
         .value_name = "P",
         .real = &o->thresh,
         .min = -1,
         .max = 1,
         .help = "a number"},
        {.name = "out", .value_name = "FILE", .text = &o->out, .help = "a text"},
    };
    static const arg_refusal refused[] = {{"iou_thresh", "there are no boxes"}};
    const arg_spec spec = {.command = "test",
                           .operands = "DATA CFG [WEIGHTS]",
                           .help = "",
                           .flags = flags,
                           .n_flags = sizeof flags / sizeof *flags,
                           .refused = refused,
                           .n_refused = 1};
    memset(err, 0, sizeof *err);
    return args_read(&spec, n, words, operands, err);
}

static void flags_may_stand_anywhere(void **state) {
    static const char *const lines[] = {
        "-thresh .25 d c w -seed 3",
        "d -thresh .25 c -seed 3 w",
        "d c w -seed=3 -thresh=.25",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        options o;
        arg_operands operands;
        gdrq_error err;
        assert_int_equal(read_line(lines[i], &o, &operands, &err), GDRQ_OK);
        assert_int_equal(operands.n, 3);
        assert_string_equal(operands.at[0], "d");
        assert_string_equal(operands.at[1], "c");
        assert_string_equal(operands.at[2], "w");
        assert_null(operands.at[3]);
        assert_int_equal(o.seed, 3);
        assert_float_equal(o.thresh, .25f, 0);
        assert_false(o.dont_show);
        assert_string_equal(o.out, "predictions");
    }
}

static void spellings_are_alike(void **state) {
    static const char *const lines[] = {"d c -dont_show", "d c --dontshow", "d c -DontShow",
                                        "d c --dont-show", "-DONT_SHOW d c"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        options o;
        arg_operands operands;
        gdrq_error err;
        assert_int_equal(read_line(lines[i], &o, &operands, &err), GDRQ_OK);
        assert_true(o.dont_show);
        assert_int_equal(operands.n, 2);
    }
}

static void negative_numbers_are_values(void **state) {
    options o;
    arg_operands operands;
    gdrq_error err;
    (void)state;
    assert_int_equal(read_line("d c -seed -3 -thresh -.5", &o, &operands, &err), GDRQ_OK);
    assert_int_equal(o.seed, -3);
    assert_float_equal(o.thresh, -.5f, 0);
    assert_int_equal(read_line("d c -5", &o, &operands, &err), GDRQ_OK);
    assert_string_equal(operands.at[2], "-5");
}

static void two_dashes_end_the_flags(void **state) {
    options o;
    arg_operands operands;
    gdrq_error err;
    (void)state;
    assert_int_equal(read_line("-seed 4 -- d -thresh --", &o, &operands, &err), GDRQ_OK);
    assert_int_equal(operands.n, 3);
    assert_string_equal(operands.at[1], "-thresh");
    assert_string_equal(operands.at[2], "--");
}

static void flags_of_every_command_are_known(void **state) {
    options o;
    arg_operands operands;
    gdrq_error err;
    (void)state;
    assert_int_equal(read_line("d -nogpu c -i 0", &o, &operands, &err), GDRQ_OK);
    assert_int_equal(operands.n, 2);
    assert_int_equal(read_line("d c -i -1", &o, &operands, &err), GDRQ_ERROR_ARGUMENT);
}

static void errors_say_what_is_wrong(void **state) {
    static const struct {
        const char *line, *says;
    } wrong[] = {
        {"d c -tresh .3", "unknown flag -tresh; the nearest is -thresh"},
        {"d c -dontshow_it", "the nearest is -dont_show"},
        {"d c --iou-thresh=.3", "-iou_thresh makes no sense here: there are no boxes"},
        {"d c -thresh", "-thresh needs a value"},
        {"d c -out -thresh .3", "-out needs a value"},
        {"d c -out=", "-out needs a value"},
        {"d c -thresh 0.3x", "'0.3x' is not a number from -1 to 1"},
        {"d c -thresh 1.5", "'1.5' is not a number from -1 to 1"},
        {"d c -thresh nan", "'nan' is not a number from -1 to 1"},
        {"d c -seed 2.5", "'2.5' is not a whole number from -10 to 1000"},
        {"d c -seed 99999999999999999999", "is not a whole number"},
        {"d c -dont_show=1", "-dont_show takes no value"},
        {"d", "CFG is missing"},
        {"d c w x", "'x' is one too many"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options o;
        arg_operands operands;
        gdrq_error err;
        assert_int_equal(read_line(wrong[i].line, &o, &operands, &err), GDRQ_ERROR_ARGUMENT);
        if (!strstr(err.message, wrong[i].says))
            fail_msg("'%s' gave \"%s\", not \"%s\"", wrong[i].line, err.message, wrong[i].says);
    }
}

static void a_setter_gets_the_value(void **state) {
    (void)state;
    options o;
    arg_operands operands;
    gdrq_error err;
    assert_int_equal(read_line("d c -cpumask c", &o, &operands, &err), GDRQ_OK);
    assert_string_equal(gdrq_machine_cpu(), "c");
    assert_int_equal(read_line("d c -cpumask mmx", &o, &operands, &err), GDRQ_ERROR_ARGUMENT);
    assert_string_equal(err.message, "-cpumask: 'mmx' is no level of processors; "
                                     "there are c, avx2 and avx512vnni");
    assert_string_equal(gdrq_machine_cpu(), "c");
}

static void global_flags_before_the_command_are_counted(void **state) {
    char *line[] = {"-i", "0", "--nogpu", "detector", "-nogpu"};
    char *unknown[] = {"-thresh", "0"};
    int n;
    gdrq_error err;
    (void)state;
    assert_int_equal(args_skip_global(5, line, &n, &err), GDRQ_OK);
    assert_int_equal(n, 3);
    assert_int_equal(args_skip_global(2, unknown, &n, &err), GDRQ_OK);
    assert_int_equal(n, 0);
    assert_int_equal(args_skip_global(1, line, &n, &err), GDRQ_ERROR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_may_stand_anywhere),
        cmocka_unit_test(spellings_are_alike),
        cmocka_unit_test(negative_numbers_are_values),
        cmocka_unit_test(two_dashes_end_the_flags),
        cmocka_unit_test(flags_of_every_command_are_known),
        cmocka_unit_test(errors_say_what_is_wrong),
        cmocka_unit_test(a_setter_gets_the_value),
        cmocka_unit_test(global_flags_before_the_command_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
