/* gdrq_load_image() against the host's load_image_cv(), and on what the host must not be given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/image_hooks.h"

typedef image stock_loader(char *filename, int channels);

/* The host's function, even where this program holds one that replaces it. */
static stock_loader *stock_load(void) {
    stock_loader *const load = (stock_loader *)dlsym(RTLD_NEXT, "load_image_cv");
    assert_non_null(load);
    return load;
}

/* The tests run in an empty folder of their own. */
static char folder[4096];

static int enter_folder(void **state) {
    (void)state;
    const char *const parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/image_hooks.XXXXXX", parent ? parent : P_tmpdir);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state) {
    (void)state;
    DIR *const entries = opendir(".");
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        unlink(entry->d_name);
    if (entries)
        closedir(entries);
    return rmdir(folder);
}

static void write_file(const char *name, const void *bytes, size_t n) {
    FILE *const file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* Every code in every channel, saved by the host under stem.png (or .jpg). */
static void write_picture(const char *stem, int w, int h, int channels, IMTYPE type) {
    image im = make_image(w, h, channels);
    for (int i = 0; i < w * h * channels; i++)
        im.data[i] = (float)((i * 7 + i / w) % 256) / 255.f;
    save_image_options(im, stem, type, 95);
    free_image(im);
}

static image load(const char *name, int channels) {
    image im;
    gdrq_error err = {""};
    const gdrq_status status = gdrq_load_image(name, channels, &im, &err);
    if (status)
        fail_msg("%s: status %d, %s", name, status, err.message);
    return im;
}

static void assert_as_host(const char *name, int channels) {
    char copy[64];
    snprintf(copy, sizeof copy, "%s", name);
    image stock = stock_load()(copy, channels), ours = load(name, channels);
    assert_int_equal(ours.w, stock.w);
    assert_int_equal(ours.h, stock.h);
    assert_int_equal(ours.c, stock.c);
    assert_memory_equal(ours.data, stock.data,
                        (size_t)ours.w * ours.h * ours.c * sizeof *ours.data);
    free_image(stock);
    free_image(ours);
}

static void pixels_are_the_hosts(void **state) {
    (void)state;
    write_picture("colour", 37, 23, 3, PNG);
    write_picture("photo", 41, 30, 3, JPG);
    write_picture("grey", 16, 19, 1, PNG);
    write_picture("alpha", 9, 31, 4, PNG);
    static const char *const names[] = {"colour.png", "photo.jpg", "grey.png", "alpha.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_as_host(names[i], 3);
    assert_as_host("colour.png", 0);
    assert_as_host("photo.jpg", 0);
    assert_as_host("alpha.png", 0);
}

/* The host swaps planes that a grey image does not have, so its pixels are no reference. */
static void grey_has_one_plane(void **state) {
    (void)state;
    write_picture("grey", 16, 19, 1, PNG);
    for (int channels = 0; channels <= 1; channels++) {
        image im = load("grey.png", channels);
        assert_int_equal(im.w, 16);
        assert_int_equal(im.h, 19);
        assert_int_equal(im.c, 1);
        for (int i = 0; i < 16 * 19; i++)
            assert_true(im.data[i] == (float)((i * 7 + i / 16) % 256 / 255.));
        free_image(im);
    }
}

/* 2x1 pixels of 16 bits: a binary PGM, its samples big-endian. */
static void sixteen_bits_are_scaled(void **state) {
    (void)state;
    static const char deep[] = "P5 2 1 65535\n\x12\x34\xff\xff";
    write_file("deep.pgm", deep, sizeof deep - 1);
    image im = load("deep.pgm", 0);
    assert_int_equal(im.c, 1);
    assert_true(im.data[0] == (float)(0x1234 / 65535.));
    assert_true(im.data[1] == 1);
    free_image(im);
    im = load("deep.pgm", 3);
    assert_int_equal(im.c, 3);
    assert_true(im.data[0] == (float)(0x12 / 255.));
    free_image(im);
}

static void assert_refused(const char *name, int channels, gdrq_status expected) {
    image im = {1, 1, 1, NULL};
    gdrq_error err = {""};
    assert_int_equal(gdrq_load_image(name, channels, &im, &err), expected);
    assert_null(im.data);
    assert_int_equal(im.w, 0);
    if (name)
        assert_non_null(strstr(err.message, name));
    assert_int_equal(gdrq_load_image(name, channels, &im, NULL), expected);
}

static void other_counts_must_be_the_files(void **state) {
    (void)state;
    write_picture("colour", 37, 23, 3, PNG);
    write_picture("alpha", 9, 31, 4, PNG);
    image im = load("alpha.png", 4);
    assert_int_equal(im.c, 4);
    free_image(im);
    assert_refused("colour.png", 4, GDRQ_ERROR_FORMAT);
    assert_refused("colour.png", 2, GDRQ_ERROR_FORMAT);
}

static void no_name_reaches_a_shell(void **state) {
    (void)state;
    static const char *const names[] = {"a;touch pwned;.jpg", "$(touch pwned).jpg",
                                        "`touch pwned`.png", "x|touch pwned", "&touch pwned&.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_refused(names[i], 3, GDRQ_ERROR_IO);
        write_file(names[i], "no image at all", 15);
        assert_refused(names[i], 3, GDRQ_ERROR_FORMAT);
        assert_int_equal(access("pwned", F_OK), -1);
        assert_int_equal(access("bad.list", F_OK), -1);
    }
}

static size_t read_file_into(const char *name, unsigned char *bytes, size_t size) {
    FILE *const file = fopen(name, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, size, file);
    fclose(file);
    return n;
}

/*
 * Cut within its header a JPEG is no image. Cut later the decoder makes of it what it can, for the
 * host and for us.
 */
static void truncated_files(void **state) {
    (void)state;
    static unsigned char bytes[1 << 16];
    write_picture("photo", 64, 48, 3, JPG);
    const size_t n = read_file_into("photo.jpg", bytes, sizeof bytes);
    assert_true(n > 1000 && n < sizeof bytes);
    static const size_t headers[] = {1, 3, 20, 100};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        write_file("cut.jpg", bytes, headers[i]);
        assert_refused("cut.jpg", 3, GDRQ_ERROR_FORMAT);
    }
    write_file("cut.jpg", bytes, n - n / 4);
    assert_as_host("cut.jpg", 3);
    write_file("cut.jpg", bytes, 0);
    assert_refused("cut.jpg", 3, GDRQ_ERROR_FORMAT);
}

/* A PGM header may claim anything. */
static void huge_images(void **state) {
    (void)state;
    static const char *const headers[] = {"P5 1000000 1000000 255\n\1", "P5 2000000 1 255\n\1",
                                          "P5 -5 7 255\n\1", "P5 0 0 255\n\1",
                                          "P5 4294967297 1 255\n\1"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        write_file("huge.pgm", headers[i], strlen(headers[i]));
        assert_refused("huge.pgm", 3, GDRQ_ERROR_FORMAT);
    }
}

static void what_is_no_file(void **state) {
    (void)state;
    assert_refused("missing.png", 3, GDRQ_ERROR_IO);
    assert_refused("missing/too.png", 3, GDRQ_ERROR_IO);
    assert_refused(".", 3, GDRQ_ERROR_IO);
    assert_refused("/dev/zero", 3, GDRQ_ERROR_IO);
    assert_int_equal(mkfifo("pipe.png", 0600), 0);
    assert_refused("pipe.png", 3, GDRQ_ERROR_IO);
    assert_refused(NULL, 3, GDRQ_ERROR_ARGUMENT);
    image im;
    assert_int_equal(gdrq_load_image("missing.png", -1, &im, NULL), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(gdrq_load_image("missing.png", 3, NULL, NULL), GDRQ_ERROR_ARGUMENT);
}

static void set_display(const char *x11, const char *wayland, const char *platform) {
    static const char *const names[] = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"};
    const char *const values[] = {x11, wayland, platform};
    for (int i = 0; i < 3; i++) {
        if (values[i])
            setenv(names[i], values[i], 1);
        else
            unsetenv(names[i]);
    }
}

static void display(void **state) {
    (void)state;
    static const struct {
        const char *x11, *wayland, *platform;
        bool expected;
    } cases[] = {
        {NULL, NULL, NULL, false},          {"", "", "", false},
        {":0", NULL, NULL, true},           {NULL, "wayland-0", NULL, true},
        {NULL, NULL, "offscreen", true},    {NULL, NULL, "vnc:size=640x480", true},
        {NULL, NULL, "minimal", true},      {NULL, NULL, "linuxfb:fb=/dev/fb0", true},
        {NULL, NULL, "eglfs;xcb", true},    {NULL, NULL, "xcb", false},
        {NULL, NULL, "wayland", false},     {NULL, NULL, "minimalegl", false},
        {NULL, NULL, "offscreener", false}, {"", "wayland-1", "xcb", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_display(cases[i].x11, cases[i].wayland, cases[i].platform);
        assert_int_equal(gdrq_have_display(), cases[i].expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_the_hosts),
        cmocka_unit_test(grey_has_one_plane),
        cmocka_unit_test(sixteen_bits_are_scaled),
        cmocka_unit_test(other_counts_must_be_the_files),
        cmocka_unit_test(no_name_reaches_a_shell),
        cmocka_unit_test(truncated_files),
        cmocka_unit_test(huge_images),
        cmocka_unit_test(what_is_no_file),
        cmocka_unit_test(display),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
