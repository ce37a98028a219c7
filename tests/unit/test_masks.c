/* The classes of pixels in files: layouts, index PNGs, run lengths, and what is wrong with them. */
#include "temporary_folder.h"

#include "data/masked_images.h"
#include "data/palette.h"
#include "image/picture.h"

#include <png.h>
#include <sys/stat.h>

enum { W = 7, H = 5 };

static const mask_rules rules = {.classes = 4, .void_index = 9, .background = -1};

static int make_layout(void **state) {
    static const char *const folders[] = {
        "set",        "set/images", "set/images/a", "set/masks", "set/masks/a",      "set/mask",
        "set/mask/a", "JPEGImages", "masks",        "images",    "images/JPEGImages"};
    if (enter_folder(state))
        return 1;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (mkdir(folders[i], 0777))
            return 1;
    return 0;
}

/* An image of W x H, and the class x + y modulo n of each of its pixels in `mask`. */
static void write_pair(const char *image, const char *mask, int n) {
    const palette colours = palette_of_classes(4);
    index_picture p;
    picture photo;
    assert_int_equal(picture_make(W, H, (unsigned char[3]){1, 2, 3}, &photo, NULL), GDRQ_OK);
    assert_int_equal(picture_save(&photo, image, NULL), GDRQ_OK);
    picture_free(&photo);
    assert_int_equal(index_picture_make(W, H, &p, NULL), GDRQ_OK);
    for (int i = 0; i < W * H; i++)
        p.at[i] = (unsigned char)((i % W + i / W) % n);
    assert_int_equal(index_png_save(&p, &colours, mask, NULL), GDRQ_OK);
    index_picture_free(&p);
}

static void assert_path(const char *image, const char *expected, bool expected_png) {
    char *path;
    bool is_png;
    gdrq_error err = {""};
    if (mask_path(image, &path, &is_png, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    assert_string_equal(path, expected);
    assert_int_equal(is_png, expected_png);
    free(path);
}

static void masks_lie_beside_images(void **state) {
    char *path;
    bool is_png;
    gdrq_error err;
    (void)state;
    write_text("set/masks/a/1.png", "");
    write_text("set/mask/a/1.txt", "");
    write_text("set/mask/a/2.txt", "");
    write_text("set/masks/a/3.txt", "");
    write_text("masks/4.x.png", "");
    assert_path("set/images/a/1.jpg", "set/masks/a/1.png", true);
    assert_path("set/images/a/1.PNG", "set/masks/a/1.png", true);
    assert_path("./set/images/a/2.jpeg", "./set/mask/a/2.txt", false);
    assert_path("set/images/a/3.bmp", "set/masks/a/3.txt", false);
    assert_path("JPEGImages/4.x.jpg", "masks/4.x.png", true);
    /* The last such folder counts. */
    mkdir("images/masks", 0777);
    write_text("images/masks/5.png", "");
    assert_path("images/JPEGImages/5.jpg", "images/masks/5.png", true);
    assert_int_equal(mask_path("set/images/a/6.jpg", &path, &is_png, &err), GDRQ_ERROR_IO);
    assert_string_equal(err.message, "set/images/a/6.jpg: its mask is missing: set/masks/a/6.png "
                                     "(or, as run lengths, .txt there or in 'mask')");
    assert_int_equal(symlink("gone.png", "set/masks/a/6.png"), 0);
    assert_int_equal(mask_path("set/images/a/6.jpg", &path, &is_png, &err), GDRQ_ERROR_IO);
    assert_string_equal(err.message,
                        "set/images/a/6.jpg: its mask set/masks/a/6.png is a link to nothing");
    assert_null(path);
    assert_int_equal(mask_path("set/photos/1.jpg", &path, &is_png, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "no folder of this path is called 'images'"));
    assert_int_equal(mask_path("images.jpg", &path, &is_png, &err), GDRQ_ERROR_FORMAT);
}

static void indices_survive_a_palette(void **state) {
    index_picture mask;
    (void)state;
    write_pair("images/p.png", "masks/p.png", 4);
    assert_int_equal(mask_load("images/p.png", W, H, &rules, &mask, NULL), GDRQ_OK);
    for (int i = 0; i < W * H; i++)
        assert_int_equal(mask.at[i], (i % W + i / W) % 4);
    index_picture_free(&mask);
}

/* A PNG of any kind, as another program may write it: rows of `bytes` each. */
static void write_png(const char *path, int type, int bits, int interlaced,
                      const unsigned char *pixels, size_t bytes) {
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    static png_color black[16];
    unsigned char *rows[H];
    for (int y = 0; y < H; y++)
        rows[y] = (unsigned char *)pixels + (size_t)y * bytes;
    png_init_io(png, file);
    png_set_IHDR(png, info, W, H, bits, type, interlaced, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, black, 16);
    png_set_rows(png, info, rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

static void other_indices_are_read(void **state) {
    static const struct {
        int type, bits, interlaced;
    } kinds[] = {{PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE},
                 {PNG_COLOR_TYPE_GRAY, 2, PNG_INTERLACE_NONE},
                 {PNG_COLOR_TYPE_PALETTE, 4, PNG_INTERLACE_ADAM7},
                 {PNG_COLOR_TYPE_PALETTE, 8, PNG_INTERLACE_ADAM7}};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const int bits = kinds[k].bits, per_byte = 8 / bits;
        const size_t bytes = (W * (size_t)bits + 7) / 8;
        unsigned char pixels[H * W] = {0};
        for (int i = 0; i < W * H; i++) {
            const int x = i % W, value = (x * 3 + i / W) % 4;
            pixels[(size_t)(i / W) * bytes + (size_t)(x / per_byte)] |=
                (unsigned char)(value << (8 - bits - x % per_byte * bits));
        }
        write_png("masks/k.png", kinds[k].type, bits, kinds[k].interlaced, pixels, bytes);
        index_picture mask;
        gdrq_error err = {""};
        if (mask_load("images/k.jpg", W, H, &rules, &mask, &err) != GDRQ_OK)
            fail_msg("%zu: %s", k, err.message);
        for (int i = 0; i < W * H; i++)
            assert_int_equal(mask.at[i], (i % W * 3 + i / W) % 4);
        index_picture_free(&mask);
    }
}

static void assert_bad(const char *image, const mask_rules *r, const char *text) {
    index_picture mask;
    gdrq_error err = {""};
    assert_int_not_equal(mask_load(image, W, H, r, &mask, &err), GDRQ_OK);
    assert_null(mask.at);
    if (!strstr(err.message, text))
        fail_msg("'%s' lacks '%s'", err.message, text);
}

static void bad_masks_are_named(void **state) {
    unsigned char pixels[H * W * 6] = {0};
    (void)state;
    write_png("masks/rgb.png", PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE, pixels, 3 * W);
    assert_bad("images/rgb.jpg", &rules, "masks/rgb.png: has colours");
    write_png("masks/ga.png", PNG_COLOR_TYPE_GRAY_ALPHA, 8, PNG_INTERLACE_NONE, pixels, 2 * W);
    assert_bad("images/ga.jpg", &rules, "alpha channel");
    write_png("masks/deep.png", PNG_COLOR_TYPE_GRAY, 16, PNG_INTERLACE_NONE, pixels, 2 * W);
    assert_bad("images/deep.jpg", &rules, "masks/deep.png: has 16 bits");
    pixels[2 * W + 3] = 4;
    write_png("masks/class.png", PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, pixels, W);
    assert_bad("images/class.jpg", &rules,
               "masks/class.png: pixel (3, 2) has the class 4; there are 4 classes, 0..3, and 9");
    write_text("masks/none.png", "P5 7 5 255\n");
    assert_bad("images/none.jpg", &rules, "masks/none.png: not a PNG file");
    write_text("masks/empty.png", "");
    assert_bad("images/empty.jpg", &rules, "not a PNG file");
    mkdir("masks/folder.png", 0777);
    assert_bad("images/folder.jpg", &rules, "not a regular file");
    index_picture mask;
    gdrq_error err;
    write_pair("images/size.png", "masks/size.png", 4);
    assert_int_not_equal(mask_load("images/size.png", W + 1, H, &rules, &mask, &err), GDRQ_OK);
    assert_non_null(
        strstr(err.message, "masks/size.png: the mask has 7 x 5 pixels, its image 8 x 5"));
}

/* Cut anywhere, a file is an error and no crash. */
static void damaged_masks_are_refused(void **state) {
    unsigned char bytes[4096];
    (void)state;
    write_pair("images/cut.png", "masks/cut.png", 4);
    FILE *file = fopen("masks/cut.png", "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t k = 0; k + 12 < n; k += 3) { /* the end chunk holds nothing */
        write_bytes("masks/cut.png", bytes, k);
        assert_bad("images/cut.png", &rules, "masks/cut.png");
    }
    for (size_t k = 8; k < n; k += 5) {
        unsigned char changed[4096];
        index_picture mask;
        memcpy(changed, bytes, n);
        changed[k] ^= 0x55;
        write_bytes("masks/cut.png", changed, n);
        if (mask_load("images/cut.png", W, H, &rules, &mask, NULL) == GDRQ_OK)
            index_picture_free(&mask);
    }
}

static void void_has_any_number(void **state) {
    unsigned char pixels[H * W] = {0};
    index_picture mask;
    const mask_rules first = {.classes = 4, .void_index = 0, .background = -1};
    (void)state;
    pixels[0] = 9;
    pixels[1] = 3;
    write_png("masks/void.png", PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, pixels, W);
    assert_int_equal(mask_load("images/void.jpg", W, H, &rules, &mask, NULL), GDRQ_OK);
    assert_true(mask.at[0] == MASK_VOID && mask.at[1] == 3 && mask.at[2] == 0);
    index_picture_free(&mask);
    pixels[0] = 1;
    write_png("masks/void.png", PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, pixels, W);
    assert_int_equal(mask_load("images/void.jpg", W, H, &first, &mask, NULL), GDRQ_OK);
    assert_true(mask.at[0] == 1 && mask.at[1] == 3 && mask.at[2] == MASK_VOID);
    index_picture_free(&mask);
}

static void runs_are_upstreams(void **state) {
    index_picture mask;
    (void)state;
    /* The first run is outside; the second object hides the first; what is behind the last run
       takes its turn. */
    write_text("masks/r.txt", "1 2,3,4,1\n\n3 4,2\r\n0 30,0,1\n");
    assert_int_equal(mask_load("images/r.jpg", W, H, &rules, &mask, NULL), GDRQ_OK);
    for (int i = 0; i < W * H; i++) {
        const int expected = i >= 31                       ? 0
                             : i == 4 || i == 5            ? 3
                             : (i >= 2 && i < 5) || i == 9 ? 1
                                                           : MASK_VOID;
        if (mask.at[i] != expected)
            fail_msg("[%d] is %d, not %d", i, mask.at[i], expected);
    }
    index_picture_free(&mask);
    const mask_rules ground = {.classes = 4, .void_index = 9, .background = 2};
    write_text("masks/r.txt", "9 1,1,33\n");
    assert_int_equal(mask_load("images/r.jpg", W, H, &ground, &mask, NULL), GDRQ_OK);
    assert_true(mask.at[0] == 2 && mask.at[1] == MASK_VOID && mask.at[2] == 2);
    index_picture_free(&mask);
    write_text("masks/r.txt", "");
    assert_int_equal(mask_load("images/r.jpg", W, H, &ground, &mask, NULL), GDRQ_OK);
    assert_int_equal(mask.at[34], 2);
    index_picture_free(&mask);
}

static void bad_runs_are_named(void **state) {
    static const char *const bad[][2] = {
        {"0 3,4\n4 1,1\n", "masks/r.txt:2: class '4 1,1' is not allowed: there are 4 classes"},
        {"x 1,1\n", "masks/r.txt:1: class 'x 1,1' is not allowed"},
        {"-1 1,1\n", "is not allowed"},
        {"1 3,x\n", "masks/r.txt:1: 'x' is no length"},
        {"1 3,-4\n", "'-4' is no length"},
        {"1 3.5\n", "'3.5' is no length"},
        {"1 99999999999999999999\n", "is no length"},
        {"1 20,16\n", "masks/r.txt:1: the runs have more pixels than the image"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text("masks/r.txt", bad[i][0]);
        assert_bad("images/r.jpg", &rules, bad[i][1]);
    }
}

static void lists_are_checked_as_a_whole(void **state) {
    image_list list;
    mask_census census;
    gdrq_error err;
    (void)state;
    write_pair("images/1.png", "masks/1.png", 4);
    write_pair("images/2.png", "masks/2.png", 6);
    write_pair("images/3.png", "masks/3.png", 5);
    write_pair("images/7.png", "masks/7.png", 5);
    unlink("images/7.png");
    write_text("list", "images/1.png\nimages/1.png\n");
    assert_int_equal(masked_images_read("list", &rules, &list, &census, &err), GDRQ_OK);
    assert_int_equal(list.n, 2);
    image_list_free(&list);
    /* Twice 35 pixels of (x + y) % 4. */
    assert_int_equal(census.pixels.pixels, 2 * W * H);
    assert_int_equal(census.pixels.of_class[0], 2 * 9);
    assert_int_equal(census.pixels.of_class[3], 2 * 8);
    assert_true(census.pixels.of_class[MASK_VOID] == 0 && !census.numbered_void);
    write_pair("images/6.png", "masks/6.png", 3);
    write_text("masks/6.txt", "1 3,4,28\n");
    rename("masks/6.png", "masks/kept.png");
    write_text("list", "images/6.png\n");
    assert_int_equal(masked_images_read("list", &rules, &list, &census, &err), GDRQ_OK);
    image_list_free(&list);
    assert_int_equal(census.pixels.of_class[1], 4);
    assert_true(census.pixels.of_class[MASK_VOID] == 31 && !census.numbered_void);
    rename("masks/kept.png", "masks/6.png");
    const mask_rules ones = {.classes = 4, .void_index = 1, .background = -1};
    assert_int_equal(masked_images_read("list", &ones, &list, &census, &err), GDRQ_OK);
    image_list_free(&list);
    assert_true(census.pixels.of_class[1] == 0 && census.numbered_void);
    write_text("list", "images/1.png\nimages/2.png\nimages/7.png\nimages/3.png\n");
    assert_int_equal(masked_images_read("list", &rules, &list, &census, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "masks/2.png: pixel (4, 0) has the class 4"));
    assert_non_null(strstr(err.message, "(and 2 of 4 images more have a problem)"));
    assert_null(list.paths);
    write_text("list", "images/7.png\n");
    assert_int_equal(masked_images_read("list", &rules, &list, &census, &err), GDRQ_ERROR_IO);
}

static void palettes_are_read(void **state) {
    palette colours;
    gdrq_error err;
    (void)state;
    write_text("palette", "1 2 3\n255  0\t7\n\n");
    assert_int_equal(palette_read("palette", 2, &colours, &err), GDRQ_OK);
    assert_true(colours.rgb[0][0] == 1 && colours.rgb[0][2] == 3 && colours.rgb[1][0] == 255);
    assert_int_equal(palette_read("palette", 3, &colours, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "palette: 2 colours for 3 classes"));
    write_text("palette", "# sky\n1 2 3\n\t# RED GREEN BLUE\n4 5 6\n# end\n");
    assert_int_equal(palette_read("palette", 2, &colours, &err), GDRQ_OK);
    assert_true(colours.rgb[0][0] == 1 && colours.rgb[1][0] == 4 && colours.rgb[1][2] == 6);
    assert_int_equal(palette_read("palette", 3, &colours, &err), GDRQ_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "palette: 2 colours for 3 classes"));
    static const char *const bad[] = {"1 2\n", "1 2 256\n", "1 2 3 4\n", "1 -2 3\n", "red\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text("palette", bad[i]);
        assert_int_equal(palette_read("palette", 1, &colours, &err), GDRQ_ERROR_FORMAT);
        assert_non_null(strstr(err.message, "palette:1: "));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_lie_beside_images),      cmocka_unit_test(indices_survive_a_palette),
        cmocka_unit_test(other_indices_are_read),       cmocka_unit_test(bad_masks_are_named),
        cmocka_unit_test(damaged_masks_are_refused),    cmocka_unit_test(void_has_any_number),
        cmocka_unit_test(runs_are_upstreams),           cmocka_unit_test(bad_runs_are_named),
        cmocka_unit_test(lists_are_checked_as_a_whole), cmocka_unit_test(palettes_are_read),
    };
    return cmocka_run_group_tests(tests, make_layout, leave_folder);
}
