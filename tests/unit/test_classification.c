/* What classifiers train on and are measured by: classes of paths, trees, random parts, top-k. */
#include "cmocka_all.h"

#include "data/class_labels.h"
#include "data/class_tree.h"
#include "eval/topk.h"
#include "train/classification_set.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *label_names[] = {"cat", "cattle", "dog", "truck"};
static const class_labels labels = {.names = {.names = label_names, .n = 4}, .n = 4, .path = "L"};

static void a_path_names_its_class(void **state) {
    static const struct {
        const char *path;
        int class_id;
    } cases[] = {
        {"train/dog/1.jpg", 2},
        {"train/17_dog.png", 2},
        {"dog/1.jpg", 2},
        {"train/bird/1.jpg", CLASS_NONE},
        {"", CLASS_NONE},
        {"cattle/1.jpg", 1}, /* has "cat" in it, but is a folder */
        {"set/cat/1.jpg", 0},
        {"set/cats/1.jpg", 0},
        {"cattle_set/cat/1.jpg", 0},
        {"set/1_cattle.jpg", CLASS_SEVERAL}, /* no folder tells */
        {"cat/dog/1.jpg", CLASS_SEVERAL},
        {"hotdogs/truck/1.jpg", 3},
        {"images/dog", 2}, /* the file's name is no folder */
        {"truckdog/dogs/1.jpg", CLASS_SEVERAL},
        {"xcat/cat/1.jpg", 0}, /* the first occurrence is not the folder */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (class_of_path(&labels, cases[i].path) != cases[i].class_id)
            fail_msg("%s: class %d", cases[i].path, class_of_path(&labels, cases[i].path));
    const class_labels fewer = {.names = labels.names, .n = 2, .path = "L"};
    assert_int_equal(class_of_path(&fewer, "dog/1.jpg"), CLASS_NONE);
}

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/gdrq-classes-XXXXXX");
    return mkdtemp(folder) ? chdir(folder) : 1;
}

static int remove_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return chdir("/") || system(command);
}

/* A file in the folder, which is the current one; returns its name. */
static const char *write_text(const char *name, const char *text) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return name;
}

static gdrq_status read_list(const char *text, classified_images *images, gdrq_error *err) {
    return classified_images_read(write_text("list", text), &labels, images, err);
}

static void bad_paths_of_a_list_are_named(void **state) {
    classified_images images;
    gdrq_error err;
    (void)state;
    write_text("cat.jpg", "");
    write_text("bird.jpg", "");
    write_text("cattle.jpg", "");
    assert_int_equal(read_list("cat.jpg\n\ndog.jpg\nbird.jpg\n", &images, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "dog.jpg: can't find the image"));
    assert_non_null(strstr(err.message, "(and 1 of 3 images more have a problem)"));
    assert_null(images.class_ids);
    assert_int_equal(read_list("bird.jpg\n", &images, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "bird.jpg: none of the 4 labels of L ('cat' ...)"));
    assert_int_equal(read_list("cattle.jpg\n", &images, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "'cat' (class 0) and 'cattle' (class 1)"));
    assert_int_equal(read_list("", &images, &err), GDRQ_ERROR_FORMAT);
    assert_int_equal(read_list("cat.jpg\ncat.jpg\n", &images, &err), GDRQ_OK);
    assert_int_equal(images.list.n, 2);
    assert_int_equal(images.class_ids[1], 0);
    classified_images_free(&images);
}

/* animal (cat dog), thing (car bus (red blue)): groups 0 1 | 2 3 | 4 5 | 6 7. */
static const char tree_text[] = "animal -1\nthing -1\ncat 0\ndog 0\ncar 1\nbus 1\nred 5\nblue 5\n";

static char *tree_names[] = {"animal", "thing", "cat", "dog", "car", "bus", "red", "blue"};
static int tree_parents[] = {-1, -1, 0, 0, 1, 1, 5, 5}, tree_leaves[8];
static int group_sizes[] = {2, 2, 2, 2}, group_offsets[] = {0, 2, 4, 6};
static tree test_tree = {.n = 8,
                         .name = tree_names,
                         .parent = tree_parents,
                         .leaf = tree_leaves,
                         .groups = 4,
                         .group_size = group_sizes,
                         .group_offset = group_offsets};

static void truth_of_a_tree(void **state) {
    const float unknown = SECRET_NUM;
    const float of_dog[] = {1, 0, 0, 1, unknown, unknown, unknown, unknown};
    const float of_red[] = {0, 1, unknown, unknown, 0, 1, 1, 0};
    const float of_thing[] = {0, 1, unknown, unknown, unknown, unknown, unknown, unknown};
    float truth[8];
    tree *t = &test_tree;
    (void)state;
    class_tree_truth(t, 3, truth);
    assert_memory_equal(truth, of_dog, sizeof truth);
    class_tree_truth(t, 6, truth);
    assert_memory_equal(truth, of_red, sizeof truth);
    class_tree_truth(t, 1, truth);
    assert_memory_equal(truth, of_thing, sizeof truth);
}

static void trees_and_leaves_are_checked(void **state) {
    gdrq_error err;
    tree *t = &test_tree;
    (void)state;
    assert_int_equal(class_tree_check(t, write_text("same", tree_text), &err), GDRQ_OK);
    assert_int_equal(class_tree_check(t, write_text("short", "animal -1\n"), &err),
                     GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "1 lines, the network's has 8"));
    char other[sizeof tree_text];
    strcpy(other, tree_text);
    *strstr(other, "car 1") = 'b';
    assert_int_equal(class_tree_check(t, write_text("other", other), &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "other:5: the network's tree has 'car 1' here"));
    strcpy(other, tree_text);
    strstr(other, "car 1")[4] = '0';
    assert_int_equal(class_tree_check(t, write_text("other", other), &err), GDRQ_ERROR_FORMAT);
    assert_int_equal(class_tree_set_leaves(t, write_text("leaves", "bus\ntrain\ncat\n"), &err),
                     GDRQ_OK);
    for (int i = 0; i < t->n; i++)
        assert_int_equal(t->leaf[i], i == 5 || i == 2);
    assert_int_equal(class_tree_set_leaves(t, write_text("leaves", "train\n"), &err),
                     GDRQ_ERROR_FORMAT);
}

enum { W = 64, H = 48 };

/* Red is the column, green the row; blue tells the picture from the black around it. */
static picture gradient(int w, int h) {
    picture p;
    assert_int_equal(picture_make(w, h, (unsigned char[3]){255, 0, 0}, &p, NULL), GDRQ_OK);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            p.data[3 * (y * w + x) + 1] = (unsigned char)y;
            p.data[3 * (y * w + x) + 2] = (unsigned char)x;
        }
    return p;
}

static const crop_options plain = {0, 1, 1, 1, false, 0, 1, 1, 0};

/* Mirrored or not, the row's reds run as the plan says. */
static int red_at(const unsigned char *codes, const crop_plan *plan, int x, int y) {
    return codes[y * plan->net_w + (plan->mirrored ? plan->net_w - 1 - x : x)];
}

static void a_part_of_full_size_is_cut_out_unchanged(void **state) {
    picture p = gradient(W, H);
    unsigned char codes[3 * H * H];
    int mirrored = 0, leftmost = W, rightmost = 0;
    (void)state;
    for (uint64_t i = 0; i < 60; i++) {
        random_stream random = random_start(5, i);
        crop_plan plan = crop_draw(&random, &plain, W, H, H, H);
        plan.map.x0 = round(plan.map.x0); /* on whole pixels, nothing is interpolated */
        assert_int_equal(crop_picture(&plan, &p, codes, NULL), GDRQ_OK);
        const int left = red_at(codes, &plan, 0, 0);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < H; x++) {
                assert_int_equal(red_at(codes, &plan, x, y), left + x);
                assert_int_equal(red_at(codes + H * H, &plan, x, y), y);
                assert_int_equal(codes[2 * H * H + y * H + x], 255);
            }
        mirrored += plan.mirrored;
        leftmost = left < leftmost ? left : leftmost;
        rightmost = left > rightmost ? left : rightmost;
    }
    assert_true(mirrored > 15 && mirrored < 45);
    assert_true(leftmost <= 2 && rightmost >= W - H - 2 && rightmost <= W - H);
    picture_free(&p);
}

/* As upstream: the shorter side of the picture, were it as narrow as the aspect makes it. */
static void sizes_and_angles_stay_in_their_ranges(void **state) {
    const crop_options o = {7, .75f, .5f, 1.75f, false, 0, 1, 1, 0};
    double least = 10, most = 0, steepest = 0;
    (void)state;
    for (uint64_t i = 0; i < 2000; i++) {
        random_stream random = random_start(6, i);
        const crop_plan plan = crop_draw(&random, &o, 500, 375, 224, 224);
        const double down = 1 / hypot(plan.map.xv, plan.map.yv); /* result per picture pixel */
        const double across = 1 / hypot(plan.map.xu, plan.map.yu);
        const double aspect = down / across;
        const double side = down * fmin(375, 500 * aspect);
        assert_true(aspect > .7499 && aspect < 1.3334);
        assert_true(fabs(side - round(side)) < 1e-3);
        const double angle = atan2(plan.map.yu, plan.map.xu) * 180 / M_PI;
        least = fmin(least, side / 224);
        most = fmax(most, side / 224);
        steepest = fmax(steepest, fabs(angle));
    }
    assert_true(least > .499 && least < .52 && most < 1.751 && most > 1.72);
    assert_true(steepest <= 7.001 && steepest > 6.8);
}

/* Upstream's formula, with its pixels' corners where ours have their centres. */
static void maps_are_upstreams(void **state) {
    const crop_options o = {30, .75f, .5f, 1.75f, false, 0, 1, 1, 0};
    (void)state;
    for (uint64_t i = 0; i < 50; i++) {
        random_stream random = random_start(8, i), again = random;
        const int w = 500, h = 375, size = 224;
        const crop_plan plan = crop_draw(&random, &o, w, h, size, size);
        const double aspect = random_factor(&again, o.aspect);
        const double scale = (112 + random_below(&again, 392 - 112 + 1)) / fmin(h, w * aspect);
        const double rad = random_uniform(&again, -30, 30) * M_PI / 180;
        const double most_x = (w * scale / aspect - size) / 2, most_y = (h * scale - size) / 2;
        const double dx = random_uniform(&again, (float)-most_x, (float)most_x);
        const double dy = random_uniform(&again, (float)-most_y, (float)most_y);
        for (int k = 0; k < 4; k++) {
            const double x = k % 2 * size, y = k / 2 * size;
            const double u = (x - size / 2.) / scale * aspect + dx / scale * aspect;
            const double v = (y - size / 2.) / scale + dy / scale;
            assert_float_equal(plan.map.xu * x + plan.map.xv * y + plan.map.x0,
                               cos(rad) * u - sin(rad) * v + w / 2., 1e-2);
            assert_float_equal(plan.map.yu * x + plan.map.yv * y + plan.map.y0,
                               sin(rad) * u + cos(rad) * v + h / 2., 1e-2);
        }
    }
}

static void the_middle_is_cut_out(void **state) {
    static const int sizes[][2] = {{32, 32}, {40, 20}, {20, 40}};
    const crop_options o = {7, .75f, .5f, 1.75f, true, 0, 1, 1, 0};
    picture p = gradient(W, H);
    unsigned char codes[3 * 40 * 40];
    (void)state;
    for (int i = 0; i < 3; i++) {
        const int w = sizes[i][0], h = sizes[i][1];
        random_stream random = random_start(7, (uint64_t)i);
        const crop_plan plan = crop_draw(&random, &o, W, H, w, h);
        const double scale = fmax((double)w / W, (double)h / H);
        assert_int_equal(crop_picture(&plan, &p, codes, NULL), GDRQ_OK);
        for (int y = 1; y < h - 1; y++)
            for (int x = 1; x < w - 1; x++) {
                const double column = (x + .5 - w / 2.) / scale + W / 2. - .5;
                const double row = (y + .5 - h / 2.) / scale + H / 2. - .5;
                assert_float_equal(red_at(codes, &plan, x, y), column, .6);
                assert_float_equal(red_at(codes + w * h, &plan, x, y), row, .6);
            }
    }
    picture_free(&p);
}

/* Wider than OpenCV's 16-bit coordinates reach. */
static void a_panorama_is_read_where_it_is_needed(void **state) {
    enum { WIDE = 70000, SIDE = 16 };
    unsigned char codes[3 * SIDE * SIDE];
    picture p;
    (void)state;
    assert_int_equal(picture_make(WIDE, SIDE, (unsigned char[3]){0}, &p, NULL), GDRQ_OK);
    for (int i = 3 * (SIDE - 1) * WIDE; i < 3 * SIDE * WIDE; i++)
        p.data[i] = 200;
    bool far_out = false;
    for (uint64_t i = 0; i < 20; i++) {
        random_stream random = random_start(9, i);
        const crop_plan plan = crop_draw(&random, &plain, WIDE, SIDE, SIDE, SIDE);
        far_out |= plan.map.x0 > 1 << 15;
        assert_int_equal(crop_picture(&plan, &p, codes, NULL), GDRQ_OK);
        for (int x = 1; x < SIDE - 1; x++) {
            assert_int_equal(codes[(SIDE - 1) * SIDE + x], 200);
            assert_int_equal(codes[x], 0);
        }
    }
    assert_true(far_out);
    picture_free(&p);
}

static void black_lies_around_a_small_picture(void **state) {
    const crop_options o = {0, 1, .5f, .5f, false, 0, 1, 1, 0};
    picture p = gradient(H, H);
    unsigned char codes[3 * H * H];
    random_stream random = random_start(3, 1);
    const crop_plan plan = crop_draw(&random, &o, H, H, H, H);
    int inside = 0;
    (void)state;
    assert_int_equal(crop_picture(&plan, &p, codes, NULL), GDRQ_OK);
    for (int i = 2 * H * H; i < 3 * H * H; i++)
        inside += codes[i] > 127;
    assert_true(abs(inside - H * H / 4) <= 2 * H);
    picture_free(&p);
}

/* As papers on CIFAR-10 do: padded by the shift, then cut. Nothing is interpolated. */
static void shifted_pictures_keep_their_pixels(void **state) {
    enum { SHIFT = 3, SIDE = H };
    const crop_options o = {.aspect = 1,
                            .min_ratio = 1,
                            .max_ratio = 1,
                            .saturation = 1,
                            .exposure = 1,
                            .max_shift = SHIFT};
    picture p = gradient(SIDE, SIDE);
    unsigned char codes[3 * SIDE * SIDE];
    int seen[2 * SHIFT + 1][2 * SHIFT + 1] = {{0}};
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        random_stream random = random_start(11, i);
        const crop_plan plan = crop_draw(&random, &o, SIDE, SIDE, SIDE, SIDE);
        const int across = (int)plan.map.x0, down = (int)plan.map.y0;
        assert_true(plan.map.x0 == across && plan.map.y0 == down);
        assert_true(abs(across) <= SHIFT && abs(down) <= SHIFT);
        if (seen[across + SHIFT][down + SHIFT]++)
            continue;
        assert_int_equal(crop_picture(&plan, &p, codes, NULL), GDRQ_OK);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const int column = x + across, row = y + down;
                const bool inside = column >= 0 && column < SIDE && row >= 0 && row < SIDE;
                assert_int_equal(red_at(codes, &plan, x, y), inside ? column : 0);
                assert_int_equal(red_at(codes + SIDE * SIDE, &plan, x, y), inside ? row : 0);
            }
    }
    for (int i = 0; i < 2 * SHIFT + 1; i++)
        for (int j = 0; j < 2 * SHIFT + 1; j++)
            assert_true(seen[i][j] > 5);
    picture_free(&p);
}

static void samples_have_their_class(void **state) {
    int class_ids[] = {3};
    classification_set set = {.images.class_ids = class_ids, .augment = plain};
    float truth[8] = {0};
    unsigned char codes[3 * 32 * 32];
    const float one_hot[8] = {0, 0, 0, 1};
    const float unknown = SECRET_NUM;
    const float of_dog[] = {1, 0, 0, 1, unknown, unknown, unknown, unknown};
    const loader_sample sample = {32, 32, codes, truth};
    picture p = gradient(W, H);
    random_stream random = random_start(1, 1);
    (void)state;
    assert_int_equal(classification_sample(&set, &random, 0, &p, &sample, NULL), GDRQ_OK);
    assert_memory_equal(truth, one_hot, sizeof truth);
    set.hierarchy = &test_tree;
    assert_int_equal(classification_sample(&set, &random, 0, &p, &sample, NULL), GDRQ_OK);
    assert_memory_equal(truth, of_dog, sizeof truth);
    picture_free(&p);
}

/* Pixels of one colour through a network that tells how red, green and blue they are. */
static const char colour_cfg[] = "[net]\nbatch=4\nwidth=8\nheight=8\nchannels=3\n"
                                 "[avgpool]\n[softmax]\n";

/* Paths of pictures of 20 x 9 pixels whose middle, all that is looked at, has the colour. */
static void write_colours(int n, const unsigned char (*bgr)[3], char **paths) {
    for (int i = 0; i < n; i++) {
        picture p;
        assert_int_equal(picture_make(20, 9, (unsigned char[3]){255, 255, 255}, &p, NULL), GDRQ_OK);
        for (int y = 0; y < 9; y++)
            for (int x = 5; x < 14; x++)
                memcpy(p.data + 3 * (20 * y + x), bgr[i], 3);
        paths[i] = malloc(128);
        snprintf(paths[i], 128, "colour%d.png", i);
        assert_int_equal(picture_save(&p, paths[i], NULL), GDRQ_OK);
        picture_free(&p);
    }
}

typedef struct watched {
    int calls, stop_at;
    float first_output;
} watched;

static bool watch(void *user, const topk_step *step) {
    watched *w = user;
    w->calls++;
    assert_int_equal(step->r->images, w->calls);
    if (w->calls == 1)
        w->first_output = step->p[0];
    return w->calls != w->stop_at;
}

static void accuracy_counts_ranks(void **state) {
    enum { N = 6 };
    static const unsigned char bgr[N][3] = {
        {0, 0, 255},   /* red: class 0 is first */
        {0, 200, 100}, /* class 0 is second */
        {200, 100, 0}, /* class 0 is last */
        {90, 90, 90},  /* equal: the lower class comes first */
        {90, 90, 90},  /* so class 2 is last */
        {255, 0, 0},   /* class 2 is first */
    };
    int class_ids[N] = {0, 0, 0, 0, 2, 2};
    char *paths[N];
    network *net;
    classified_images images = {.list = {.paths = paths, .n = N}, .class_ids = class_ids};
    watched w = {0};
    topk_result r;
    gdrq_error err;
    (void)state;
    write_colours(N, bgr, paths);
    assert_int_equal(gdrq_network_parse(write_text("cfg", colour_cfg), NULL, NULL, &net, &err),
                     GDRQ_OK);
    assert_int_equal(topk_measure(net, &images, 2, watch, &w, &r, &err), GDRQ_OK);
    assert_int_equal(w.calls, N);
    assert_int_equal(r.images, N);
    assert_int_equal(r.first, 3);
    assert_int_equal(r.among_k, 4);
    assert_float_equal(topk_first(&r), .5, 1e-9);
    assert_float_equal(topk_among(&r), 4 / 6., 1e-9);
    /* softmax(1, 0, 0): exactly the middle was read. */
    assert_float_equal(w.first_output, M_E / (M_E + 2), 1e-5);
    assert_int_equal(net->batch, 4);
    w = (watched){.stop_at = 2};
    assert_int_equal(topk_measure(net, &images, 3, watch, &w, &r, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "stopped after 2 of 6"));
    unlink(paths[5]);
    assert_int_equal(topk_measure(net, &images, 3, NULL, NULL, &r, &err), GDRQ_ERROR_IO);
    assert_non_null(strstr(err.message, "colour5.png"));
    for (int i = 0; i < N; i++)
        free(paths[i]);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_names_its_class),
        cmocka_unit_test(bad_paths_of_a_list_are_named),
        cmocka_unit_test(truth_of_a_tree),
        cmocka_unit_test(trees_and_leaves_are_checked),
        cmocka_unit_test(a_part_of_full_size_is_cut_out_unchanged),
        cmocka_unit_test(sizes_and_angles_stay_in_their_ranges),
        cmocka_unit_test(maps_are_upstreams),
        cmocka_unit_test(the_middle_is_cut_out),
        cmocka_unit_test(a_panorama_is_read_where_it_is_needed),
        cmocka_unit_test(black_lies_around_a_small_picture),
        cmocka_unit_test(shifted_pictures_keep_their_pixels),
        cmocka_unit_test(samples_have_their_class),
        cmocka_unit_test(accuracy_counts_ranks),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
