/* A training's history: the file round trips, and nothing that was measured gets lost. */
#include "cmocka_all.h"

#include "random_data.h"
#include "train/history.h"

#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96], old[112];
static const char header[] = "iteration,epoch,stage,loss,average_loss,learning_rate,seconds";

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/gdrq-test-history-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/a.csv", folder);
    snprintf(old, sizeof old, "%s.old", path);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    unlink(old);
    return rmdir(folder);
}

static void write_text(const char *text, size_t n) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    fclose(file);
}

static void file_is(const char *name, const char *expected) {
    char text[8192];
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static history_row row_of(size_t iteration) {
    return (history_row){.iteration = iteration,
                         .epoch = (double)iteration / 8,
                         .stage = GDRQ_STAGE_RESHAPE,
                         .loss = 2.5,
                         .average_loss = 3,
                         .rate = .001,
                         .seconds = 10 * (double)iteration,
                         .metric = iteration % 2 ? NAN : .25};
}

/* Rows 1..n of a new history in the file. */
static void write_rows(size_t n, const char *metric) {
    history h;
    assert_int_equal(history_open(&h, path, metric, 0, NULL), GDRQ_OK);
    for (size_t i = 1; i <= n; i++) {
        const history_row row = row_of(i);
        assert_int_equal(history_add(&h, &row, NULL), GDRQ_OK);
    }
    history_close(&h);
}

static void rows_are(const history *h, size_t n) {
    assert_int_equal(h->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(h->rows[i].iteration, i + 1);
}

static bool same(double a, double b) {
    return isnan(a) ? isnan(b) : a == b;
}

static void file_has_the_documented_columns(void **state) {
    (void)state;
    write_rows(2, "mAP@0.50");
    file_is(path, "iteration,epoch,stage,loss,average_loss,learning_rate,seconds,mAP@0.50\n"
                  "1,0.125,reshape,2.5,3,0.001,10,\n"
                  "2,0.25,reshape,2.5,3,0.001,20,0.25\n");
    write_rows(1, NULL);
    file_is(path, "iteration,epoch,stage,loss,average_loss,learning_rate,seconds\n"
                  "1,0.125,reshape,2.5,3,0.001,10\n");
}

static void numbers_survive_the_file_to_the_bit(void **state) {
    enum { N = 300 };
    history h;
    history_row rows[N];
    (void)state;
    seed_random(1);
    assert_int_equal(history_open(&h, path, "top-1", 0, NULL), GDRQ_OK);
    for (int i = 0; i < N; i++) {
        rows[i] = (history_row){(size_t)(3 * i + 1), random_unit() * 100,
                                (gdrq_stage)(i % 3), exp(random_normal() * 20),
                                random_unit() / 3,   random_unit() * 1e-7,
                                1e6 * random_unit(), i % 5 ? NAN : random_unit()};
        assert_int_equal(history_add(&h, &rows[i], NULL), GDRQ_OK);
    }
    history_close(&h);
    assert_int_equal(history_open(&h, path, "top-1", 3 * N, NULL), GDRQ_OK);
    assert_int_equal(h.n, N);
    for (int i = 0; i < N; i++) {
        const history_row *a = &rows[i], *b = &h.rows[i];
        assert_true(a->iteration == b->iteration && a->stage == b->stage);
        assert_true(a->epoch == b->epoch && a->loss == b->loss);
        assert_true(a->average_loss == b->average_loss && a->rate == b->rate);
        assert_true(a->seconds == b->seconds && same(a->metric, b->metric));
    }
    history_close(&h);
}

static void decimal_points_in_every_locale(void **state) {
    (void)state;
    /* Without a locale of that kind on the machine there is nothing that could go wrong. */
    const char *const with_comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
    bool found = false;
    for (int i = 0; i < 3 && !found; i++)
        found = setlocale(LC_NUMERIC, with_comma[i]);
    if (!found)
        skip();
    history h;
    write_rows(1, NULL);
    assert_int_equal(history_open(&h, path, NULL, 1, NULL), GDRQ_OK);
    setlocale(LC_NUMERIC, "C");
    rows_are(&h, 1);
    assert_true(h.rows[0].epoch == .125);
    history_close(&h);
    file_is(path, "iteration,epoch,stage,loss,average_loss,learning_rate,seconds\n"
                  "1,0.125,reshape,2.5,3,0.001,10\n");
}

static void fresh_start_keeps_the_old_file(void **state) {
    history h;
    char expected[200];
    (void)state;
    write_rows(1, NULL);
    assert_int_equal(history_open(&h, path, NULL, 0, NULL), GDRQ_OK);
    assert_null(history_last(&h));
    history_close(&h);
    snprintf(expected, sizeof expected, "%s\n1,0.125,reshape,2.5,3,0.001,10\n", header);
    file_is(old, expected);
    /* A second start does not push it out with a file that holds nothing. */
    assert_int_equal(history_open(&h, path, NULL, 0, NULL), GDRQ_OK);
    history_close(&h);
    file_is(old, expected);
    snprintf(expected, sizeof expected, "%s\n", header);
    file_is(path, expected);
}

static void rows_behind_the_checkpoint_are_dropped(void **state) {
    history h;
    struct stat before, after;
    (void)state;
    unlink(old);
    write_rows(7, "mIoU");
    unlink(old);
    assert_int_equal(history_open(&h, path, "mIoU", 5, NULL), GDRQ_OK);
    rows_are(&h, 5);
    assert_int_equal(history_last(&h)->iteration, 5);
    const history_row row = row_of(6);
    assert_int_equal(history_add(&h, &row, NULL), GDRQ_OK);
    history_close(&h);
    assert_int_equal(stat(path, &before), 0);
    /* Nothing to drop: the very same file goes on. */
    assert_int_equal(history_open(&h, path, "mIoU", 6, NULL), GDRQ_OK);
    rows_are(&h, 6);
    history_close(&h);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_not_equal(access(old, F_OK), 0);
}

static void torn_last_line_is_dropped(void **state) {
    history h;
    char text[300];
    (void)state;
    unlink(old);
    /* What is left of "20,..." would read as iteration 2. */
    const int n =
        snprintf(text, sizeof text, "%s\n1,0.125,float,2,2,0.001,10\n2,1,float,2,2,1,1", header);
    write_text(text, (size_t)n);
    assert_int_equal(history_open(&h, path, NULL, 9, NULL), GDRQ_OK);
    rows_are(&h, 1);
    const history_row row = row_of(10);
    assert_int_equal(history_add(&h, &row, NULL), GDRQ_OK);
    history_close(&h);
    snprintf(text, sizeof text, "%s\n1,0.125,float,2,2,0.001,10\n10,1.25,reshape,2.5,3,0.001,100\n",
             header);
    file_is(path, text);
    assert_int_not_equal(access(old, F_OK), 0);
}

static void missing_file_is_made(void **state) {
    history h;
    (void)state;
    unlink(path);
    assert_int_equal(history_open(&h, path, NULL, 1000, NULL), GDRQ_OK);
    assert_int_equal(h.n, 0);
    const history_row row = row_of(1001);
    assert_int_equal(history_add(&h, &row, NULL), GDRQ_OK);
    history_close(&h);
    assert_int_equal(history_open(&h, path, NULL, 1001, NULL), GDRQ_OK);
    assert_int_equal(h.n, 1);
    history_close(&h);
}

static void foreign_files_are_set_aside(void **state) {
    const char *const texts[] = {
        "my notes\n", "no newline", "iteration,loss\n1,2\n",
        "iteration,epoch,stage,loss,average_loss,learning_rate,seconds,\n",
        "iteration,epoch,stage,loss,average_loss,learning_rate,secondss\n"};
    char expected[200];
    (void)state;
    snprintf(expected, sizeof expected, "%s\n", header);
    for (int i = 0; i < 10; i++) {
        history h;
        const char *text = texts[i / 2];
        write_text(text, strlen(text));
        assert_int_equal(history_open(&h, path, NULL, i % 2, NULL), GDRQ_OK);
        assert_int_equal(h.n, 0);
        history_close(&h);
        file_is(old, text);
        file_is(path, expected);
    }
}

static void damaged_lines_are_set_aside_and_the_rest_goes_on(void **state) {
    static const char *const bad[] = {
        "2,1,float,2,2,1\n",
        "2,1,float,2,2,1,1,\n",
        "2,1,flaot,2,2,1,1\n",
        "2,1,float,2x,2,1,1\n",
        "2,1,float,2,,1,1\n",
        "-2,1,float,2,2,1,1\n",
        "1,1,float,2,2,1,1\n",
        "\n",
        "99999999999999999999,1,float,2,2,1,1\n",
        "2,1,float,2,2,1,1\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[400], expected[400];
        history h;
        snprintf(text, sizeof text, "%s\n1,1,float,2,2,1,1\n%s3,1,float,2,2,1,1\n", header, bad[i]);
        write_text(text, strlen(text));
        assert_int_equal(history_open(&h, path, NULL, 5, NULL), GDRQ_OK);
        assert_int_equal(h.n, 2);
        history_close(&h);
        file_is(old, text);
        snprintf(expected, sizeof expected, "%s\n1,1,float,2,2,1,1\n3,1,float,2,2,1,1\n", header);
        file_is(path, expected);
    }
}

static void zeros_that_a_crash_left_are_no_row(void **state) {
    char text[300] = "";
    history h;
    (void)state;
    const int n = snprintf(text, sizeof text, "%s\n1,1,float,2,2,1,1\n", header);
    text[n + 60] = '\n';
    write_text(text, (size_t)n + 61);
    assert_int_equal(history_open(&h, path, NULL, 5, NULL), GDRQ_OK);
    rows_are(&h, 1);
    history_close(&h);
}

static void metric_may_come_and_stay(void **state) {
    history h;
    (void)state;
    /* It comes: the rows get an empty column. */
    write_rows(2, NULL);
    assert_int_equal(history_open(&h, path, "top-1", 2, NULL), GDRQ_OK);
    rows_are(&h, 2);
    assert_true(isnan(h.rows[1].metric));
    const history_row row = row_of(4);
    assert_int_equal(history_add(&h, &row, NULL), GDRQ_OK);
    history_close(&h);
    file_is(path, "iteration,epoch,stage,loss,average_loss,learning_rate,seconds,top-1\n"
                  "1,0.125,reshape,2.5,3,0.001,10,\n2,0.25,reshape,2.5,3,0.001,20,\n"
                  "4,0.5,reshape,2.5,3,0.001,40,0.25\n");
    /* It is asked for no longer: what was measured stays. */
    assert_int_equal(history_open(&h, path, NULL, 4, NULL), GDRQ_OK);
    assert_string_equal(h.metric_name, "top-1");
    assert_true(history_last(&h)->metric == .25);
    history_close(&h);
}

static void another_metric_does_not_mix(void **state) {
    history h;
    (void)state;
    write_rows(2, "mAP@0.50");
    assert_int_equal(history_open(&h, path, "mAP@0.75", 2, NULL), GDRQ_OK);
    rows_are(&h, 2);
    assert_true(isnan(h.rows[1].metric));
    history_close(&h);
    file_is(old, "iteration,epoch,stage,loss,average_loss,learning_rate,seconds,mAP@0.50\n"
                 "1,0.125,reshape,2.5,3,0.001,10,\n2,0.25,reshape,2.5,3,0.001,20,0.25\n");
    file_is(path, "iteration,epoch,stage,loss,average_loss,learning_rate,seconds,mAP@0.75\n"
                  "1,0.125,reshape,2.5,3,0.001,10,\n2,0.25,reshape,2.5,3,0.001,20,\n");
}

static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_loses_no_row_and_leaves_no_half_line(void **state) {
    history h;
    gdrq_error err;
    struct stat st;
    char expected[300];
    (void)state;
    assert_int_equal(history_open(&h, path, NULL, 0, NULL), GDRQ_OK);
    history_row row = row_of(1);
    assert_int_equal(history_add(&h, &row, NULL), GDRQ_OK);
    assert_int_equal(stat(path, &st), 0);
    signal(SIGXFSZ, SIG_IGN);
    /* Room for half of a line. */
    limit_file_size((rlim_t)st.st_size + 15);
    for (size_t i = 2; i <= 3; i++) {
        row = row_of(i);
        assert_int_equal(history_add(&h, &row, &err), GDRQ_ERROR_IO);
        assert_non_null(strstr(err.message, path));
        rows_are(&h, i);
    }
    limit_file_size(RLIM_INFINITY);
    signal(SIGXFSZ, SIG_DFL);
    snprintf(expected, sizeof expected, "%s\n1,0.125,reshape,2.5,3,0.001,10\n", header);
    file_is(path, expected);
    row = row_of(4);
    assert_int_equal(history_add(&h, &row, NULL), GDRQ_OK);
    history_close(&h);
    snprintf(expected, sizeof expected,
             "%s\n1,0.125,reshape,2.5,3,0.001,10\n2,0.25,reshape,2.5,3,0.001,20\n"
             "3,0.375,reshape,2.5,3,0.001,30\n4,0.5,reshape,2.5,3,0.001,40\n",
             header);
    file_is(path, expected);
}

static void wrong_calls_are_refused(void **state) {
    history h;
    gdrq_error err;
    (void)state;
    assert_int_equal(history_open(&h, path, "a,b", 0, &err), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(history_open(&h, folder, NULL, 0, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, folder));
    assert_int_equal(history_open(&h, "/nowhere/a.csv", NULL, 0, &err), GDRQ_ERROR_IO);
    /* A device must not be renamed away. */
    assert_int_equal(history_open(&h, "/dev/null", NULL, 0, &err), GDRQ_ERROR_IO);
    history_close(&h);
    assert_int_equal(history_open(&h, path, NULL, 0, NULL), GDRQ_OK);
    history_row row = row_of(3);
    assert_int_equal(history_add(&h, &row, NULL), GDRQ_OK);
    assert_int_equal(history_add(&h, &row, &err), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(h.n, 1);
    history_close(&h);
    history_close(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_has_the_documented_columns),
        cmocka_unit_test(numbers_survive_the_file_to_the_bit),
        cmocka_unit_test(decimal_points_in_every_locale),
        cmocka_unit_test(fresh_start_keeps_the_old_file),
        cmocka_unit_test(rows_behind_the_checkpoint_are_dropped),
        cmocka_unit_test(torn_last_line_is_dropped),
        cmocka_unit_test(missing_file_is_made),
        cmocka_unit_test(foreign_files_are_set_aside),
        cmocka_unit_test(damaged_lines_are_set_aside_and_the_rest_goes_on),
        cmocka_unit_test(zeros_that_a_crash_left_are_no_row),
        cmocka_unit_test(metric_may_come_and_stay),
        cmocka_unit_test(another_metric_does_not_mix),
        cmocka_unit_test(full_disk_loses_no_row_and_leaves_no_half_line),
        cmocka_unit_test(wrong_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
