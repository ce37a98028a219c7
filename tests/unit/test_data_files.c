/* The readers of .data files, image lists, class names and labels, on good and on hostile files. */
#include "data/data_cfg.h"
#include "data/image_list.h"
#include "data/labels.h"
#include "data/names.h"

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static gdrq_error err;

/* A path in the test's folder; valid until the fourth call from here. */
static const char *in_folder(const char *name) {
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *write_bytes(const char *name, const void *bytes, size_t n) {
    const char *path = in_folder(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *write_text(const char *name, const char *text) {
    return write_bytes(name, text, strlen(text));
}

static const char *write_repeated(const char *name, char c, size_t n) {
    char *bytes = malloc(n);
    assert_non_null(bytes);
    memset(bytes, c, n);
    const char *path = write_bytes(name, bytes, n);
    free(bytes);
    return path;
}

static void assert_says(const char *what) {
    if (!strstr(err.message, what))
        fail_msg("'%s' is not in: %s", what, err.message);
}

static int make_folder(void **state) {
    (void)state;
    /* No random name: one with "raw" in it would be a folder of raw images. */
    snprintf(folder, sizeof folder, P_tmpdir "/test_data_files.%ld", (long)getpid());
    return mkdir(folder, 0700) || mkdir(in_folder("images"), 0777) ||
           mkdir(in_folder("labels"), 0777) || mkdir(in_folder("a_folder.txt"), 0777);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_data_cfg(void **state) {
    (void)state;
    const char *path =
        write_text("a.data", "\xef\xbb\xbf"
                             "# comment\r\nclasses= 20\r\n  train = my photos/a.txt \r\n\n"
                             "; another\ntrain=second\nweird key=x=y\nlast=no newline");
    data_cfg cfg;
    assert_int_equal(data_cfg_read(path, &cfg, &err), GDRQ_OK);
    assert_int_equal(cfg.n, 5);
    const char *value;
    assert_int_equal(data_cfg_require(&cfg, "train", &value, &err), GDRQ_OK);
    assert_string_equal(value, "my photos/a.txt");
    assert_string_equal(data_cfg_find(&cfg, "weird key"), "x=y");
    assert_string_equal(data_cfg_find(&cfg, "last"), "no newline");
    assert_null(data_cfg_find(&cfg, "valid"));
    assert_int_equal(data_cfg_require(&cfg, "valid", &value, &err), GDRQ_ERROR_FORMAT);
    assert_null(value);
    assert_says(path);
    assert_says("'valid' is missing");
    int number = 7;
    assert_int_equal(data_cfg_require_int(&cfg, "classes", 1, 100, &number, &err), GDRQ_OK);
    assert_int_equal(number, 20);
    assert_int_equal(data_cfg_find_int(&cfg, "top", 1, 100, &number, &err), GDRQ_OK);
    assert_int_equal(number, 20);
    assert_int_equal(data_cfg_require_int(&cfg, "top", 1, 100, &number, &err), GDRQ_ERROR_FORMAT);
    assert_int_equal(data_cfg_find_int(&cfg, "classes", 1, 19, &number, &err), GDRQ_ERROR_FORMAT);
    assert_says("a.data:2: classes = 20: not a whole number in 1..19");
    assert_int_equal(data_cfg_find_int(&cfg, "train", 1, 19, &number, &err), GDRQ_ERROR_FORMAT);
    data_cfg_free(&cfg);
    data_cfg_free(&cfg);
}

static void refuses_data_cfg(const char *text, const char *message) {
    data_cfg cfg;
    assert_int_equal(data_cfg_read(write_text("bad.data", text), &cfg, &err), GDRQ_ERROR_FORMAT);
    assert_says(message);
    assert_null(cfg.options);
    assert_null(cfg.text.text);
}

static void test_data_cfg_refusals(void **state) {
    (void)state;
    refuses_data_cfg("classes=1\nno equals sign\n", "bad.data:2: expected 'key = value'");
    refuses_data_cfg("\n = x", "bad.data:2: no key");
    refuses_data_cfg("names =  \n", "bad.data:1: no value for 'names'");
    refuses_data_cfg("names = \x01\n", "bad.data:1: control character 0x01");
    data_cfg cfg;
    assert_int_equal(data_cfg_read(write_repeated("x.data", '=', 5000), &cfg, &err),
                     GDRQ_ERROR_FORMAT);
    assert_int_equal(data_cfg_read(write_repeated("x.data", '\n', (1 << 20) + 1), &cfg, &err),
                     GDRQ_ERROR_FORMAT);
    assert_says("more than 1048576 bytes");
    assert_int_equal(data_cfg_read(in_folder("none.data"), &cfg, &err), GDRQ_ERROR_IO);
    assert_says("none.data: can't open: No such file");
    assert_int_equal(data_cfg_read(in_folder("images"), &cfg, &err), GDRQ_ERROR_IO);
    assert_says("is a folder");
    assert_int_equal(data_cfg_read(write_text("empty.data", ""), &cfg, &err), GDRQ_OK);
    assert_int_equal(cfg.n, 0);
    data_cfg_free(&cfg);
}

static void test_image_list(void **state) {
    (void)state;
    image_list list;
    const char *path = write_text("list.txt", "a.jpg\r\n\r\n  \t\n/b c/d.png \n\nlast.jpg");
    assert_int_equal(image_list_read(path, &list, &err), GDRQ_OK);
    assert_int_equal(list.n, 3);
    assert_string_equal(list.paths[0], "a.jpg");
    assert_string_equal(list.paths[1], "/b c/d.png");
    assert_string_equal(list.paths[2], "last.jpg");
    image_list_free(&list);
    image_list_free(&list);
}

static void test_image_list_refusals(void **state) {
    (void)state;
    image_list list;
    assert_int_equal(image_list_read(write_text("list.txt", ""), &list, &err), GDRQ_ERROR_FORMAT);
    assert_says("list.txt: the list has no image");
    assert_int_equal(image_list_read(write_text("list.txt", "\r\n \n"), &list, &err),
                     GDRQ_ERROR_FORMAT);
    assert_int_equal(image_list_read(write_bytes("list.txt", "a.jpg\nb\0c\n", 10), &list, &err),
                     GDRQ_ERROR_FORMAT);
    assert_says("list.txt:2: control character 0x00");
    assert_int_equal(
        image_list_read(write_repeated("list.txt", 'x', TEXT_LONGEST_PATH + 1), &list, &err),
        GDRQ_ERROR_FORMAT);
    assert_says("list.txt:1: a path of 4001 bytes; at most 4000");
    assert_null(list.paths);
    assert_int_equal(
        image_list_read(write_repeated("list.txt", 'x', TEXT_LONGEST_PATH), &list, &err), GDRQ_OK);
    image_list_free(&list);
    assert_int_equal(image_list_read(in_folder("labels"), &list, &err), GDRQ_ERROR_IO);
}

static void test_names(void **state) {
    (void)state;
    class_names names;
    const char *path = write_text("a.names", "stop sign\r\nspeed limit\nyield\n\n\n");
    assert_int_equal(class_names_read(path, 2, &names, &err), GDRQ_OK);
    assert_int_equal(names.n, 3);
    assert_string_equal(names.names[0], "stop sign");
    assert_string_equal(names.names[2], "yield");
    class_names_free(&names);
    assert_int_equal(class_names_read(path, 4, &names, &err), GDRQ_ERROR_FORMAT);
    assert_says("a.names: 3 names for 4 classes");
    assert_null(names.names);
    assert_int_equal(class_names_read(write_text("b.names", "a\n\nb\n"), 2, &names, &err),
                     GDRQ_ERROR_FORMAT);
    assert_says("b.names:2: blank line");
    assert_int_equal(
        class_names_read(write_repeated("b.names", 'n', NAMES_LONGEST + 1), 1, &names, &err),
        GDRQ_ERROR_FORMAT);
    assert_says("a name of 256 bytes; at most 255");
    assert_int_equal(class_names_read(write_text("b.names", ""), 1, &names, &err),
                     GDRQ_ERROR_FORMAT);
    assert_says("0 names for 1 classes");
}

static void maps_to(const char *image, const char *want) {
    char *path;
    assert_int_equal(label_path(image, &path, &err), GDRQ_OK);
    assert_string_equal(path, want);
    free(path);
}

static void test_label_path(void **state) {
    (void)state;
    maps_to("a/images/b.jpg", "a/labels/b.txt");
    maps_to("VOC2007/JPEGImages/1.jpg", "VOC2007/labels/1.txt");
    maps_to("raw/x.png", "labels/x.txt");
    maps_to("images/images/x.JPG", "labels/images/x.txt");
    maps_to("images/JPEGImages/raw/x.JpEg", "labels/labels/labels/x.txt");
    maps_to("set.jpg/photo.jpg.bmp", "set.jpg/photo.jpg.txt");
    maps_to("photo.jpg.jpg", "photo.jpg.txt");
    maps_to(".jpg", ".txt");
    char *path;
    const char *const refused[] = {"images/a.txt", "a", "", "a.jpg/b", "a.jpg2"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
        assert_int_equal(label_path(refused[i], &path, &err), GDRQ_ERROR_FORMAT);
        assert_null(path);
        assert_says(refused[i]);
    }
    char long_path[9000];
    memset(long_path, 'x', sizeof long_path);
    strcpy(long_path + 8990, "raw.jpg");
    assert_int_equal(label_path(long_path, &path, &err), GDRQ_OK);
    assert_string_equal(path + 8990, "labels.txt");
    free(path);
}

static void test_labels(void **state) {
    (void)state;
    label_list list;
    const char *path = write_text("l.txt", "0 0.5 0.25 0.125 1\r\n\r\n"
                                           "  2\t1.0005 -0.0005 1.001 1e-3 \n1 .5 5e-1 +0.5 0.5");
    assert_int_equal(labels_read(path, 3, &list, &err), GDRQ_OK);
    assert_int_equal(list.n, 3);
    const label first = {0, .5f, .25f, .125f, 1}, second = {2, 1, 0, 1, 1e-3f},
                third = {1, .5f, .5f, .5f, .5f};
    assert_memory_equal(&list.labels[0], &first, sizeof first);
    assert_memory_equal(&list.labels[1], &second, sizeof second);
    assert_memory_equal(&list.labels[2], &third, sizeof third);
    labels_free(&list);
    labels_free(&list);
    assert_int_equal(labels_read(write_text("l.txt", ""), 3, &list, &err), GDRQ_OK);
    assert_int_equal(list.n, 0);
    labels_free(&list);
}

static void refuses_labels(const char *text, const char *message) {
    label_list list;
    assert_int_equal(labels_read(write_text("l.txt", text), 3, &list, &err), GDRQ_ERROR_FORMAT);
    assert_says(message);
    assert_null(list.labels);
    assert_int_equal(list.n, 0);
}

static void test_label_refusals(void **state) {
    (void)state;
    refuses_labels("0 .5 .5 .5 .5\n3 .5 .5 .5 .5\n",
                   "l.txt:2: class '3' is not allowed: there are 3 classes, 0..2");
    refuses_labels("-1 .5 .5 .5 .5\n", "l.txt:1: class '-1'");
    refuses_labels("1.0 .5 .5 .5 .5\n", "class '1.0'");
    refuses_labels("99999999999999999999 .5 .5 .5 .5\n", "class '9999");
    refuses_labels("dog .5 .5 .5 .5\n", "class 'dog'");
    refuses_labels("0 nan .5 .5 .5\n", "x 'nan' is not a finite number");
    refuses_labels("0 .5 inf .5 .5\n", "y 'inf' is not a finite number");
    refuses_labels("0 .5 .5 1e999 .5\n", "w '1e999' is not a finite number");
    refuses_labels("0 .5 .5 0.5x .5\n", "w '0.5x' is not a finite number");
    refuses_labels("0 0,5 .5 .5 .5\n", "x '0,5' is not a finite number");
    refuses_labels("0 .5 .5 .5 0\n", "h = 0 is not allowed: it is relative to the image, above 0");
    refuses_labels("0 .5 .5 1e-60 .5\n", "w = 1e-60 is not allowed");
    refuses_labels("0 .5 .5 -.0005 .5\n", "w = -.0005 is not allowed");
    refuses_labels("0 1.002 .5 .5 .5\n", "x = 1.002 is not allowed");
    refuses_labels("0 .5 -.002 .5 .5\n", "y = -.002 is not allowed");
    refuses_labels("0 .5 .5 1.002 .5\n", "w = 1.002 is not allowed");
    refuses_labels("0 .5 .5 .5\n", "l.txt:1: 4 words; expected five");
    refuses_labels("\n0 .5 .5 .5 .5 .9\n", "l.txt:2: '.9' behind the fifth number");
    refuses_labels("0 .5 .5 .5 .5 0 .5 .5 .5 .5\n", "behind the fifth number");
    refuses_labels("\x89PNG\r\n\x1a\n", "l.txt:2: control character 0x1a");
    label_list list;
    assert_int_equal(labels_read(write_repeated("l.txt", '1', 1 << 20), 3, &list, &err),
                     GDRQ_ERROR_FORMAT);
    assert_int_equal(labels_read(in_folder("a_folder.txt"), 3, &list, &err), GDRQ_ERROR_IO);
    assert_says("is a folder");
}

static void test_labels_of_an_image(void **state) {
    (void)state;
    label_list list;
    write_text("labels/good.txt", "1 .5 .5 .5 .5");
    assert_int_equal(labels_read_for(in_folder("images/good.jpg"), 2, &list, &err), GDRQ_OK);
    assert_int_equal(list.n, 1);
    labels_free(&list);
    assert_int_equal(labels_read_for(in_folder("images/none.jpg"), 2, &list, &err), GDRQ_ERROR_IO);
    assert_says(in_folder("images/none.jpg"));
    assert_says(in_folder("labels/none.txt"));
    assert_int_equal(labels_read_for(in_folder("images/none.doc"), 2, &list, &err),
                     GDRQ_ERROR_FORMAT);
    assert_null(list.labels);
}

typedef struct seen_progress {
    int calls, done, total;
} seen_progress;

static void see_progress(void *user, int done, int total) {
    seen_progress *seen = user;
    assert_true(done > seen->done);
    ++seen->calls;
    seen->done = done;
    seen->total = total;
}

/* A list of the named images (in images/), each a file, with the labels given; NULL: none. */
static gdrq_status check_list(const char *const (*images)[2], int n, labels_progress *progress,
                              void *user) {
    char text[4096] = "";
    for (int i = 0; i < n; ++i) {
        char name[64];
        snprintf(name, sizeof name, "images/%s.jpg", images[i][0]);
        if (strcmp(images[i][0], "absent") != 0)
            write_text(name, "pixels");
        strcat(strcat(text, in_folder(name)), "\n");
        snprintf(name, sizeof name, "labels/%s.txt", images[i][0]);
        if (images[i][1])
            write_text(name, images[i][1]);
    }
    image_list list;
    assert_int_equal(image_list_read(write_text("check.txt", text), &list, NULL), GDRQ_OK);
    const gdrq_status status = labels_check_all(&list, 2, progress, user, &err);
    image_list_free(&list);
    return status;
}

static void test_check_all(void **state) {
    (void)state;
    const char *const images[][2] = {
        {"one", "0 .5 .5 .1 .1\n"},   {"two", ""},    {"unlabelled", NULL},
        {"three", "5 .5 .5 .1 .1\n"}, {"absent", ""}, {"four", "1 .5 .5 .1 .1"}};
    seen_progress seen = {0};
    assert_int_equal(check_list(images, 2, see_progress, &seen), GDRQ_OK);
    assert_int_equal(seen.done, 2);
    assert_int_equal(seen.total, 2);
    assert_int_equal(check_list(images + 3, 1, NULL, NULL), GDRQ_ERROR_FORMAT);
    assert_says("labels/three.txt:1: class '5'");
    assert_null(strstr(err.message, "more have"));
    assert_int_equal(check_list(images + 4, 1, NULL, NULL), GDRQ_ERROR_IO);
    assert_says("images/absent.jpg: can't find the image: No such file");
    assert_int_equal(check_list(images, 6, NULL, NULL), GDRQ_ERROR_IO);
    assert_says("labels/unlabelled.txt is missing");
    assert_says("(and 2 of 6 images more have a problem)");
}

static void test_check_all_wants_files(void **state) {
    (void)state;
    char *paths[] = {(char *)in_folder("images")};
    const image_list list = {.paths = paths, .n = 1};
    assert_int_equal(labels_check_all(&list, 2, NULL, NULL, &err), GDRQ_ERROR_IO);
    assert_says("is no file");
}

/* Random bytes, mostly of characters that the formats use, through every reader. */
static void test_random_files(void **state) {
    (void)state;
    const unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    static const char usual[] = "0123 45.5\t.5 = # \r\n-e+;a/\xef\xbb\xbf";
    int good = 0, bad = 0;
    for (int round = 0; round < 2000; ++round) {
        char bytes[200];
        const size_t n = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < n; ++i)
            bytes[i] = rand() % 500 ? usual[(size_t)rand() % (sizeof usual - 1)] : (char)rand();
        const char *path = write_bytes("random", bytes, n);
        data_cfg cfg;
        image_list images;
        class_names names;
        label_list labels;
        const gdrq_status statuses[] = {
            data_cfg_read(path, &cfg, &err), image_list_read(path, &images, &err),
            class_names_read(path, 1, &names, &err), labels_read(path, 1, &labels, &err)};
        for (int i = 0; i < 4; ++i)
            ++*(statuses[i] == GDRQ_OK ? &good : &bad);
        for (int i = 0; i < labels.n; ++i)
            assert_true(labels.labels[i].class_id == 0 && labels.labels[i].w > 0 &&
                        labels.labels[i].w <= 1 && labels.labels[i].x >= 0);
        data_cfg_free(&cfg);
        image_list_free(&images);
        class_names_free(&names);
        labels_free(&labels);
    }
    assert_true(good > 0 && bad > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_cfg),
        cmocka_unit_test(test_data_cfg_refusals),
        cmocka_unit_test(test_image_list),
        cmocka_unit_test(test_image_list_refusals),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_label_path),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_label_refusals),
        cmocka_unit_test(test_labels_of_an_image),
        cmocka_unit_test(test_check_all),
        cmocka_unit_test(test_check_all_wants_files),
        cmocka_unit_test(test_random_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
