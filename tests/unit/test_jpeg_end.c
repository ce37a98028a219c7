/* JPEG files that stop too early are told from those that don't. */
#include "temporary_folder.h"

#include "image/jpeg_end.h"
#include "image/picture.h"

#define PHOTO "/usr/share/darknet/data/dog.jpg"

/* Two scans, of which one has stuffed bytes and a restart, and a preview with an end of its own. */
static const unsigned char whole[] = {
    0xff, 0xd8,                                                 /* SOI */
    0xff, 0xe1, 0x00, 0x06, 0xff, 0xd8, 0xff, 0xd9,             /* APP1 */
    0xff, 0xda, 0x00, 0x04, 0x01, 0x02,                         /* SOS */
    0x12, 0xff, 0x00, 0xff, 0xd3, 0x34, 0xff, 0x00, 0xd9, 0xd9, /* its data */
    0xff, 0xff, 0xc4, 0x00, 0x03, 0x55,                         /* DHT behind a fill byte */
    0xff, 0xda, 0x00, 0x02, 0x77,                               /* SOS */
    0xff, 0xff, 0xd9,                                           /* EOI */
};

static void test_every_beginning_is_cut_off(void **state) {
    (void)state;
    assert_false(jpeg_is_cut_off(whole, sizeof whole));
    for (size_t n = 2; n < sizeof whole; n++) {
        /* Of its exact size, so that reading behind it is found. */
        unsigned char *const begin = test_malloc(n);
        memcpy(begin, whole, n);
        assert_true(jpeg_is_cut_off(begin, n));
        test_free(begin);
    }
}

static void test_what_is_behind_the_end_does_not_count(void **state) {
    static const unsigned char behind[] = {0xff, 0xd8, 0xff, 0xda, 0x00};
    unsigned char bytes[sizeof whole + sizeof behind];
    (void)state;
    memcpy(bytes, whole, sizeof whole);
    memcpy(bytes + sizeof whole, behind, sizeof behind);
    for (size_t n = sizeof whole; n <= sizeof bytes; n++)
        assert_false(jpeg_is_cut_off(bytes, n));
}

static void test_other_bytes_are_left_to_the_decoder(void **state) {
    static const unsigned char png[] = {0x89, 'P', 'N', 'G'}, bad[] = {0xff, 0xd8, 0x00, 0xff};
    static const unsigned char no_length[] = {0xff, 0xd8, 0xff, 0xe0, 0x00, 0x00, 0x00};
    static const unsigned char reserved[] = {0xff, 0xd8, 0xff, 0xda, 0x00, 0x02, 0xff, 0x02, 0xff};
    static const unsigned char twice[] = {0xff, 0xd8, 0xff, 0xda, 0x00, 0x02, 0xff, 0xd8, 0xff};
    (void)state;
    assert_false(jpeg_is_cut_off(png, 0));
    assert_false(jpeg_is_cut_off(png, sizeof png));
    assert_false(jpeg_is_cut_off(bad, sizeof bad));
    assert_false(jpeg_is_cut_off(no_length, sizeof no_length));
    assert_false(jpeg_is_cut_off(reserved, sizeof reserved));
    assert_false(jpeg_is_cut_off(twice, sizeof twice));
}

static void test_a_truncated_photo_is_refused(void **state) {
    const size_t room = 1 << 20;
    char *const bytes = test_malloc(room);
    FILE *const file = fopen(PHOTO, "rb");
    picture p;
    gdrq_error err = {0};
    (void)state;
    assert_non_null(file);
    const size_t n = fread(bytes, 1, room, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(picture_load(write_bytes("photo.jpg", bytes, n), &p, &err), GDRQ_OK);
    picture_free(&p);
    for (int part = 2; part <= 10; part++) {
        write_bytes("photo.jpg", bytes, n - n / (size_t)part);
        assert_int_equal(picture_load("photo.jpg", &p, &err), GDRQ_ERROR_FORMAT);
        assert_string_equal(err.message,
                            "photo.jpg: truncated: a JPEG file without its end marker");
        assert_null(p.data);
    }
    test_free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_beginning_is_cut_off),
        cmocka_unit_test(test_what_is_behind_the_end_does_not_count),
        cmocka_unit_test(test_other_bytes_are_left_to_the_decoder),
        cmocka_unit_test(test_a_truncated_photo_is_refused),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
