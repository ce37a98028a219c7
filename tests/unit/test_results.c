/* The result files of valid and test: their formats, byte for byte, and what they refuse. */
#include "results/json_results.h"
#include "results/json_text.h"
#include "results/label_file.h"
#include "results/valid_files.h"
#include "results/valid_ids.h"

#include "data/labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/gdrq-test-results-XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static const char *in_folder(const char *name) {
    static char path[4][160];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void assert_file(const char *name, const char *content) {
    char found[4096];
    FILE *file = fopen(in_folder(name), "r");
    if (!file)
        fail_msg("%s is missing", name);
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(found, content);
}

static char *names[] = {"cat", "traffic light", "dog"};

/* A box within the image, one that hangs over its right lower corner, one that is no box. */
static float probs[3][3] = {{.5f, 0, .25f}, {0, .75f, 0}, {1, 1, 1}};
static detection boxes[3] = {
    {.bbox = {.5f, .5f, .25f, .5f}, .classes = 3, .prob = probs[0], .objectness = 1},
    {.bbox = {.875f, .875f, .5f, .5f}, .classes = 3, .prob = probs[1], .objectness = 1},
    {.bbox = {.5f, .5f, INFINITY, .5f}, .classes = 3, .prob = probs[2], .objectness = 1},
};
static const detections found = {.at = boxes, .n = 3};

static gdrq_status write_all(valid_format format, const char *out, const char *image) {
    const valid_spec spec = {.format = format,
                             .folder = in_folder("new/deep"),
                             .out = out,
                             .names = names,
                             .classes = 3};
    valid_files *files;
    gdrq_error err;
    gdrq_status status = valid_files_open(&spec, &files, &err);
    if (status == GDRQ_OK)
        status = valid_files_add(files, image, &found, 200, 100, &err);
    if (status == GDRQ_OK)
        status = valid_files_save(files, &err);
    valid_files_free(files);
    if (status != GDRQ_OK)
        print_message("%s\n", err.message);
    return status;
}

static void test_voc_files(void **state) {
    (void)state;
    assert_int_equal(write_all(VALID_VOC, NULL, "VOC/images/2007_000027.v2.jpg"), GDRQ_OK);
    assert_file("new/deep/comp4_det_test_cat.txt",
                "2007_000027 0.500000 76.000000 26.000000 126.000000 76.000000\n");
    assert_file("new/deep/comp4_det_test_dog.txt",
                "2007_000027 0.250000 76.000000 26.000000 126.000000 76.000000\n");
    assert_file("new/deep/comp4_det_test_traffic light.txt",
                "2007_000027 0.750000 126.000000 63.500000 200.000000 100.000000\n");
    assert_int_equal(write_all(VALID_VOC, "mine_", "a.jpg"), GDRQ_OK);
    assert_file("new/deep/mine_cat.txt", "a 0.500000 76.000000 26.000000 126.000000 76.000000\n");
}

static void test_coco_file(void **state) {
    (void)state;
    assert_int_equal(write_all(VALID_COCO, NULL, "val2014/COCO_val2014_000000000042.jpg"), GDRQ_OK);
    assert_file("new/deep/coco_results.json",
                "[\n"
                "{\"image_id\":42, \"category_id\":1, \"bbox\":[75.000000, 25.000000, 50.000000, "
                "50.000000], \"score\":0.500000},\n"
                "{\"image_id\":42, \"category_id\":3, \"bbox\":[75.000000, 25.000000, 50.000000, "
                "50.000000], \"score\":0.250000},\n"
                "{\"image_id\":42, \"category_id\":2, \"bbox\":[125.000000, 62.500000, 75.000000, "
                "37.500000], \"score\":0.750000}\n"
                "]\n");
    assert_int_equal(write_all(VALID_COCO, NULL, "no_number.jpg"), GDRQ_ERROR_FORMAT);
}

/* All 80 of COCO's category numbers, which leave out eleven of 1..91. */
static void test_coco_categories(void **state) {
    (void)state;
    static const int ids[80] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 13, 14, 15, 16, 17,
                                18, 19, 20, 21, 22, 23, 24, 25, 27, 28, 31, 32, 33, 34, 35, 36,
                                37, 38, 39, 40, 41, 42, 43, 44, 46, 47, 48, 49, 50, 51, 52, 53,
                                54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 67, 70, 72, 73,
                                74, 75, 76, 77, 78, 79, 80, 81, 82, 84, 85, 86, 87, 88, 89, 90};
    float prob[80];
    for (int i = 0; i < 80; i++)
        prob[i] = .5f;
    detection all = {.bbox = {.5f, .5f, 1, 1}, .classes = 80, .prob = prob};
    const detections one = {.at = &all, .n = 1};
    const valid_spec spec = {.format = VALID_COCO, .folder = folder, .classes = 80};
    valid_files *files;
    assert_int_equal(valid_files_open(&spec, &files, NULL), GDRQ_OK);
    assert_int_equal(valid_files_add(files, "7.jpg", &one, 10, 10, NULL), GDRQ_OK);
    assert_int_equal(valid_files_save(files, NULL), GDRQ_OK);
    valid_files_free(files);
    FILE *file = fopen(in_folder("coco_results.json"), "r");
    char line[256];
    assert_non_null(fgets(line, sizeof line, file));
    for (int i = 0; i < 80; i++) {
        int category;
        assert_non_null(fgets(line, sizeof line, file));
        assert_int_equal(sscanf(line, "{\"image_id\":7, \"category_id\":%d,", &category), 1);
        assert_int_equal(category, ids[i]);
    }
    fclose(file);
}

static void test_no_detections_is_json_too(void **state) {
    (void)state;
    const valid_spec spec = {.format = VALID_COCO, .folder = folder, .out = "none", .classes = 3};
    valid_files *files;
    assert_int_equal(valid_files_open(&spec, &files, NULL), GDRQ_OK);
    assert_int_equal(valid_files_save(files, NULL), GDRQ_OK);
    valid_files_free(files);
    assert_file("none.json", "[\n]\n");
}

static void test_imagenet_file(void **state) {
    (void)state;
    float prob[200] = {[0] = .5f, [199] = .25f};
    detection d = {.bbox = {.5f, .5f, .25f, .5f}, .classes = 200, .prob = prob};
    const detections one = {.at = &d, .n = 1}, none = {0};
    const valid_spec spec = {.format = VALID_IMAGENET, .folder = folder, .classes = 200};
    valid_files *files;
    assert_int_equal(valid_files_open(&spec, &files, NULL), GDRQ_OK);
    assert_int_equal(valid_files_add(files, "a.jpg", &none, 200, 100, NULL), GDRQ_OK);
    assert_int_equal(valid_files_add(files, "b.jpg", &one, 200, 100, NULL), GDRQ_OK);
    assert_int_equal(valid_files_save(files, NULL), GDRQ_OK);
    valid_files_free(files);
    assert_file("imagenet-detection.txt",
                "2 1 0.500000 75.000000 25.000000 125.000000 75.000000\n"
                "2 200 0.250000 75.000000 25.000000 125.000000 75.000000\n");
}

static void refuses(const valid_spec *spec, const char *part) {
    valid_files *files;
    gdrq_error err;
    assert_int_not_equal(valid_files_open(spec, &files, &err), GDRQ_OK);
    assert_null(files);
    if (!strstr(err.message, part))
        fail_msg("'%s' says nothing of '%s'", err.message, part);
}

static void test_refuses_what_does_not_fit(void **state) {
    (void)state;
    char *slash[] = {"cat", "dog/wolf"}, *twice[] = {"cat", "cat"};
    refuses(&(valid_spec){.format = VALID_COCO, .folder = folder, .classes = 81}, "81");
    refuses(&(valid_spec){.format = VALID_IMAGENET, .folder = folder, .classes = 199}, "200");
    refuses(&(valid_spec){.folder = folder, .names = slash, .classes = 2}, "dog/wolf");
    refuses(&(valid_spec){.folder = folder, .names = twice, .classes = 2}, "'cat'");
    refuses(&(valid_spec){.folder = "/proc/none", .names = names, .classes = 3}, "/proc/none");
    refuses(&(valid_spec){.folder = "/proc", .names = names, .classes = 3}, "results folder");
    valid_format format;
    gdrq_error err;
    assert_int_equal(valid_format_find("pascal", &format, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "pascal"));
    assert_int_equal(valid_format_find(NULL, &format, &err), GDRQ_OK);
    assert_int_equal(format, VALID_VOC);
}

static void test_coco_ids(void **state) {
    (void)state;
    long id;
    assert_int_equal(valid_coco_id("a_7/000000000139.jpg", &id, NULL), GDRQ_OK);
    assert_int_equal(id, 139);
    assert_int_equal(valid_coco_id("COCO_val2014_000000000042.jpg", &id, NULL), GDRQ_OK);
    assert_int_equal(id, 42);
    assert_int_equal(valid_coco_id("x/12_b.jpg", &id, NULL), GDRQ_ERROR_FORMAT);
    assert_int_equal(valid_coco_id("-3.jpg", &id, NULL), GDRQ_ERROR_FORMAT);
    assert_int_equal(valid_coco_id("99999999999999999999.jpg", &id, NULL), GDRQ_ERROR_FORMAT);
    char *paths[] = {"a/3.jpg", "2.jpg", "b/x_0003.jpg"};
    image_list list = {.paths = paths, .n = 3};
    gdrq_error err;
    assert_int_equal(valid_coco_ids_check(&list, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "both COCO's image 3"));
    list.n = 2;
    assert_int_equal(valid_coco_ids_check(&list, &err), GDRQ_OK);
}

static void assert_json(const char *text, const char *json) {
    char *made;
    size_t n;
    FILE *out = open_memstream(&made, &n);
    json_put_string(out, text);
    fclose(out);
    assert_string_equal(made, json);
    free(made);
}

static void test_json_strings(void **state) {
    (void)state;
    assert_json("a \"b\" \\ /", "\"a \\\"b\\\" \\\\ /\"");
    assert_json("\n\x01", "\"\\u000a\\u0001\"");
    assert_json("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x95",
                "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x95\"");
    /* Latin 1, a lone continuation, overlong, a surrogate, beyond Unicode, cut off. */
    assert_json("\xe4x", "\"\\ufffdx\"");
    assert_json("\x80", "\"\\ufffd\"");
    assert_json("\xc0\xaf", "\"\\ufffd\\ufffd\"");
    assert_json("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    assert_json("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    assert_json("\xe2\x82", "\"\\ufffd\\ufffd\"");
}

static void test_json_results(void **state) {
    (void)state;
    json_results results;
    const detections none = {0};
    assert_int_equal(json_results_open(&results, names, 3, .3f, NULL), GDRQ_OK);
    json_results_add(&results, "a.jpg", &none);
    json_results_add(&results, "b \"c\".jpg", &found);
    assert_int_equal(json_results_save(&results, in_folder("r.json"), NULL), GDRQ_OK);
    json_results_free(&results);
    assert_file(
        "r.json",
        "[\n{\n \"frame_id\":1,\n \"filename\":\"a.jpg\",\n \"objects\": [\n ]\n},\n"
        "{\n \"frame_id\":2,\n \"filename\":\"b \\\"c\\\".jpg\",\n \"objects\": [\n"
        "  {\"class_id\":0, \"name\":\"cat\", \"relative_coordinates\":{\"center_x\":0.500000, "
        "\"center_y\":0.500000, \"width\":0.250000, \"height\":0.500000}, "
        "\"confidence\":0.500000},\n"
        "  {\"class_id\":1, \"name\":\"traffic light\", "
        "\"relative_coordinates\":{\"center_x\":0.875000, \"center_y\":0.875000, "
        "\"width\":0.500000, \"height\":0.500000}, \"confidence\":0.750000}\n ]\n}\n]\n");
}

static void test_label_files(void **state) {
    (void)state;
    char image[160];
    strcpy(image, in_folder("photo.jpg"));
    assert_int_equal(label_file_write(image, &found, 3, .3f, false, NULL), GDRQ_OK);
    assert_file("photo.txt", "0 0.500000 0.500000 0.250000 0.500000\n"
                             "1 0.812500 0.812500 0.375000 0.375000\n");
    label_list labels;
    assert_int_equal(labels_read_for(image, 3, &labels, NULL), GDRQ_OK);
    assert_int_equal(labels.n, 2);
    labels_free(&labels);
    gdrq_error err;
    assert_int_equal(label_file_check(image, false, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "-force"));
    assert_int_equal(label_file_write(image, &found, 3, .6f, false, &err), GDRQ_ERROR_IO);
    assert_int_equal(label_file_check(image, true, &err), GDRQ_OK);
    assert_int_equal(label_file_write(image, &found, 3, .6f, true, &err), GDRQ_OK);
    assert_file("photo.txt", "1 0.812500 0.812500 0.375000 0.375000\n");
    assert_int_equal(label_file_write(image, &found, 3, 1, true, &err), GDRQ_OK);
    assert_file("photo.txt", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_voc_files),       cmocka_unit_test(test_coco_file),
        cmocka_unit_test(test_coco_categories), cmocka_unit_test(test_no_detections_is_json_too),
        cmocka_unit_test(test_imagenet_file),   cmocka_unit_test(test_refuses_what_does_not_fit),
        cmocka_unit_test(test_coco_ids),        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_json_results),    cmocka_unit_test(test_label_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
