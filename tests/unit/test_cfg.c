/* The syntax of cfg files. */
#include "cmocka_all.h"

#include "host/cfg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void parse(const char *text, gdrq_cfg *cfg) {
    gdrq_error err = {""};
    if (gdrq_cfg_parse("net.cfg", text, strlen(text), cfg, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
}

static void assert_option(const gdrq_cfg_section *section, const char *key, const char *value,
                          int line) {
    const gdrq_cfg_option *option = gdrq_cfg_find(section, key);
    assert_non_null(option);
    assert_string_equal(option->value, value);
    assert_int_equal(option->line, line);
}

static void sections_and_options_have_lines(void **state) {
    (void)state;
    gdrq_cfg cfg;
    parse("# comment\n[net]\nwidth=8\n\n; another\nheight = 9\n[maxpool]\nsize=2\n", &cfg);
    assert_string_equal(cfg.path, "net.cfg");
    assert_int_equal(cfg.n, 2);
    assert_string_equal(cfg.sections[0].name, "net");
    assert_int_equal(cfg.sections[0].line, 2);
    assert_int_equal(cfg.sections[0].n, 2);
    assert_option(&cfg.sections[0], "width", "8", 3);
    assert_option(&cfg.sections[0], "height", "9", 6);
    assert_string_equal(cfg.sections[1].name, "maxpool");
    assert_int_equal(cfg.sections[1].line, 7);
    assert_option(&cfg.sections[1], "size", "2", 8);
    assert_null(gdrq_cfg_find(&cfg.sections[1], "width"));
    gdrq_cfg_free(&cfg);
    assert_null(cfg.sections);
    gdrq_cfg_free(&cfg);
}

static void blanks_do_not_count(void **state) {
    (void)state;
    gdrq_cfg cfg;
    parse(" [ net\t] \r\n\tsteps = 1 , 2,\t3 \r\n\r\n[max]\r\nsize=2", &cfg);
    assert_string_equal(cfg.sections[0].name, "net");
    assert_option(&cfg.sections[0], "steps", "1,2,3", 2);
    assert_option(&cfg.sections[1], "size", "2", 5);
    gdrq_cfg_free(&cfg);
}

static void comments_may_follow_a_blank(void **state) {
    (void)state;
    gdrq_cfg cfg;
    parse("[net] # first\nbatch=1 # images\nmap=a#b;c\n  # c=d\npower=4\t; four\n", &cfg);
    assert_int_equal(cfg.sections[0].n, 3);
    assert_option(&cfg.sections[0], "batch", "1", 2);
    assert_option(&cfg.sections[0], "map", "a#b;c", 3);
    assert_option(&cfg.sections[0], "power", "4", 5);
    gdrq_cfg_free(&cfg);
}

static void first_of_repeated_keys_counts(void **state) {
    (void)state;
    gdrq_cfg cfg;
    parse("[net]\nbatch=1\nbatch=64\nname=a=b\n", &cfg);
    assert_int_equal(cfg.sections[0].n, 3);
    assert_option(&cfg.sections[0], "batch", "1", 2);
    assert_option(&cfg.sections[0], "name", "a=b", 4);
    gdrq_cfg_free(&cfg);
}

static void byte_order_mark_is_skipped(void **state) {
    (void)state;
    gdrq_cfg cfg;
    parse("\xef\xbb\xbf[net]\nbatch=1", &cfg);
    assert_string_equal(cfg.sections[0].name, "net");
    gdrq_cfg_free(&cfg);
}

static void long_lines_and_many_options_are_kept(void **state) {
    (void)state;
    enum { VALUE = 100000, OPTIONS = 5000 };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("[net]\nlong=", out);
    for (int i = 0; i < VALUE; i++)
        fputc('1', out);
    for (int i = 0; i < OPTIONS; i++)
        fprintf(out, "\nkey%d=%d", i, i);
    fclose(out);
    gdrq_cfg cfg;
    parse(text, &cfg);
    assert_int_equal(cfg.sections[0].n, OPTIONS + 1);
    assert_int_equal(strlen(cfg.sections[0].options[0].value), VALUE);
    assert_option(&cfg.sections[0], "key4999", "4999", OPTIONS + 2);
    gdrq_cfg_free(&cfg);
    free(text);
}

static void errors_name_file_and_line(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t n; /* 0: up to the terminator */
        const char *expected;
    } cases[] = {
        {"", 0, "net.cfg: has no section"},
        {"# only\n\n", 0, "net.cfg: has no section"},
        {"batch=1\n[net]\n", 0, "net.cfg:1: 'batch=1' stands before the first section"},
        {"[net]\nbatch\n", 0, "net.cfg:2: 'batch' is no option"},
        {"[net]\n=1\n", 0, "net.cfg:2: '=1' has no key"},
        {"[net]\n\nbatch = \n", 0, "net.cfg:3: 'batch=' has no value"},
        {"[net\n", 0, "net.cfg:1: '[net' is no section line"},
        {"[]\n", 0, "net.cfg:1: '[]' is no section line"},
        {"[net]x\n", 0, "net.cfg:1: '[net]x' is no section line"},
        {"[[net]\n", 0, "net.cfg:1: '[[net]' is no section line"},
        {"[a]b]\n", 0, "net.cfg:1: '[a]b]' is no section line"},
        {"[net]\nba\0tch=1\n", 16, "net.cfg:2: a zero byte"},
        {"[net]\n# \0\n", 10, "net.cfg:2: a zero byte"},
        {"\x7f"
         "ELF\x02\x01",
         0, "net.cfg:1: character 0x7f"},
        {"[net]\nbatch=\x1b[31m\n", 0, "net.cfg:2: character 0x1b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gdrq_cfg cfg;
        gdrq_error err = {""};
        const size_t n = cases[i].n ? cases[i].n : strlen(cases[i].text);
        assert_int_equal(gdrq_cfg_parse("net.cfg", cases[i].text, n, &cfg, &err),
                         GDRQ_ERROR_FORMAT);
        assert_null(cfg.sections);
        if (strncmp(err.message, cases[i].expected, strlen(cases[i].expected)) != 0)
            fail_msg("case %zu: '%s' instead of '%s'", i, err.message, cases[i].expected);
    }
}

static void text_needs_no_terminator(void **state) {
    (void)state;
    static const char text[] = "[net]\nbatch=1";
    const size_t n = sizeof text - 1;
    char *exact = malloc(n); /* so that a sanitizer sees a read behind it */
    assert_non_null(exact);
    memcpy(exact, text, n);
    gdrq_cfg cfg;
    assert_int_equal(gdrq_cfg_parse("net.cfg", exact, n, &cfg, NULL), GDRQ_OK);
    assert_option(&cfg.sections[0], "batch", "1", 2);
    gdrq_cfg_free(&cfg);
    free(exact);
}

static void unreadable_files_are_errors(void **state) {
    (void)state;
    gdrq_cfg cfg;
    gdrq_error err = {""};
    assert_int_equal(gdrq_cfg_read("/nonexistent/net.cfg", &cfg, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "/nonexistent/net.cfg: can't open"));
    assert_int_equal(gdrq_cfg_read("/", &cfg, &err), GDRQ_ERROR_IO);
    assert_int_equal(gdrq_cfg_read("/dev/zero", &cfg, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "no regular file"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_options_have_lines),
        cmocka_unit_test(blanks_do_not_count),
        cmocka_unit_test(comments_may_follow_a_blank),
        cmocka_unit_test(first_of_repeated_keys_counts),
        cmocka_unit_test(byte_order_mark_is_skipped),
        cmocka_unit_test(long_lines_and_many_options_are_kept),
        cmocka_unit_test(errors_name_file_and_line),
        cmocka_unit_test(text_needs_no_terminator),
        cmocka_unit_test(unreadable_files_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
