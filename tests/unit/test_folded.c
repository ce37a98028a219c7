/*
 * Files of folded networks: round trips, frozen bytes, and that damaged and hostile ones are
 * refused. Buffers end where the file ends, so that sanitisers see a byte too many.
 */
#include "folded_checksum.h"
#include "folded_sample.h"

#include <glob.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

static char *test_path(char *buffer) {
    strcpy(buffer, "/tmp/gdrq-test-XXXXXX");
    const int fd = mkstemp(buffer);
    assert_true(fd >= 0);
    close(fd);
    return buffer;
}

static void what_is_written_is_read(void **state) {
    (void)state;
    seed_random(1);
    for (int trial = 0; trial < 200; ++trial) {
        char path[32];
        gdrq_error err = {""};
        gdrq_folded f =
            random_folded(trial == 1 ? 0 : random_int(0, 5), trial < 3 ? 0 : random_int(0, 9));
        gdrq_folded back;
        test_path(path);
        if (gdrq_folded_write(path, &f, &err) != GDRQ_OK)
            fail_msg("trial %d: %s", trial, err.message);
        assert_true(gdrq_folded_is(path));
        if (gdrq_folded_read(path, &back, &err) != GDRQ_OK)
            fail_msg("trial %d: %s", trial, err.message);
        unlink(path);
        assert_same(&back, &f);
        gdrq_folded_close(&back);
        gdrq_folded_close(&back);
        free_folded(&f);
    }
}

static void numbers_decide_all_bytes(void **state) {
    (void)state;
    seed_random(2);
    gdrq_folded f = random_folded(3, 6);
    size_t n, m;
    uint8_t *a = bytes_of(&f, &n), *b = bytes_of(&f, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
    free_folded(&f);
}

/* Classes and layers of the frozen file below. */
static const uint8_t tiny_weights[] = {0x06, 0x57}; /* 3, -3, 1, 0, 2 */
static const float tiny_scale[] = {.5f}, tiny_bias[] = {-2}, tiny_floats[] = {1, .25f};

static gdrq_folded tiny_folded(gdrq_folded_class *class, gdrq_folded_layer layers[2]) {
    *class = (gdrq_folded_class){.tensor = -1, .bits = 4, .range = GDRQ_RANGE_OFFSET};
    class->grid = gdrq_activation_grid(4, GDRQ_RANGE_OFFSET, .1f, 7); /* z = 1: 14 steps of 1/2 */
    layers[0] = (gdrq_folded_layer){.index = 2,
                                    .input = 0,
                                    .filters = 1,
                                    .weight_bits = 3,
                                    .filter_size = 5,
                                    .weights = tiny_weights,
                                    .scale = tiny_scale,
                                    .bias = tiny_bias};
    layers[1] = (gdrq_folded_layer){.index = 5, .floats = tiny_floats, .n_floats = 2};
    return (gdrq_folded){.cfg_hash = UINT64_C(0x0123456789abcdef),
                         .classes = class,
                         .n_classes = 1,
                         .layers = layers,
                         .n_layers = 2};
}

enum { TINY_SIZE = 456 };

/* FORMAT.md, spelt out by hand. The bytes of version 1 never change. */
static uint8_t *tiny_file(void) {
    static const struct {
        size_t at, n;
        uint8_t bytes[8];
    } parts[] = {
        {0, 8, {'G', 'D', 'R', 'Q', 'F', 'L', 'D', '1'}},
        {8, 1, {1}},                                               /* version */
        {12, 4, {0x21, 0xdf, 0x0a, 0x4d}},                         /* checksum */
        {16, 2, {0xc8, 0x01}},                                     /* file size 456 */
        {24, 8, {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01}}, /* cfg hash */
        {32, 8, {1, 0, 0, 0, 2}},                                  /* classes, layers */
        {40, 1, {64}},                                             /* class table */
        {48, 1, {128}},                                            /* layer table */
        {64, 8, {0xff, 0xff, 0xff, 0xff, 4}},                      /* tensor, bits */
        {72, 8, {3, 0, 0, 0, 1}},                                  /* range, zero code */
        {80, 8, {0, 0, 0, 0x3f, 0, 0, 0, 0x40}},                   /* step .5, inverse step 2 */
        {128, 8, {2, 0, 0, 0, 1}},                                 /* index, kind */
        {136, 8, {0, 0, 0, 0, 1}},                                 /* class, filters */
        {144, 8, {5, 0, 0, 0, 3}},                                 /* filter size, weight bits */
        {152, 8, {0, 1}},                                          /* data */
        {160, 1, {2}},                                             /* data size */
        {168, 2, {0x40, 1}},                                       /* scale */
        {176, 2, {0x80, 1}},                                       /* bias */
        {192, 8, {5, 0, 0, 0, 2}},                                 /* index, kind */
        {216, 2, {0xc0, 1}},                                       /* data */
        {224, 1, {8}},                                             /* data size */
        {256, 2, {0x06, 0x57}},                                    /* packed weights */
        {320, 4, {0, 0, 0, 0x3f}},                                 /* scale */
        {384, 4, {0, 0, 0, 0xc0}},                                 /* bias */
        {448, 8, {0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3e}},            /* floats */
    };
    uint8_t zeros[TINY_SIZE] = {0};
    uint8_t *file = aligned_copy(zeros, TINY_SIZE);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        memcpy(file + parts[i].at, parts[i].bytes, parts[i].n);
    return file;
}

static void bytes_are_frozen(void **state) {
    (void)state;
    gdrq_folded_class class;
    gdrq_folded_layer layers[2];
    const gdrq_folded tiny = tiny_folded(&class, layers);
    gdrq_folded back;
    gdrq_error err = {""};
    size_t n;
    uint8_t *written = bytes_of(&tiny, &n), *expected = tiny_file();
    assert_int_equal(n, TINY_SIZE);
    for (size_t i = 0; i < n; ++i)
        if (written[i] != expected[i])
            fail_msg("byte %zu is 0x%02x instead of 0x%02x", i, written[i], expected[i]);
    if (gdrq_folded_parse("frozen", expected, n, &back, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    assert_same(&back, &tiny);
    gdrq_folded_close(&back);
    free(written);
    free(expected);
}

/* Parses; a refusal must have a message that names the file and leave nothing behind. */
static bool is_refused(const uint8_t *bytes, size_t n, gdrq_error *err) {
    gdrq_folded f;
    *err = (gdrq_error){""};
    if (gdrq_folded_parse("net.folded", bytes, n, &f, err) == GDRQ_OK) {
        gdrq_folded_close(&f);
        return false;
    }
    const gdrq_folded empty = {0};
    assert_memory_equal(&f, &empty, sizeof f);
    assert_int_equal(strncmp(err->message, "net.folded: ", 12), 0);
    assert_null(strchr(err->message, '\n'));
    return true;
}

static void truncated_files_are_refused(void **state) {
    (void)state;
    gdrq_error err;
    uint8_t *file = tiny_file();
    for (size_t n = 0; n < TINY_SIZE; ++n) {
        uint8_t *part = aligned_copy(file, n);
        if (!is_refused(part, n, &err))
            fail_msg("%zu bytes", n);
        if (n >= 24) { /* whose header says so as well */
            const uint64_t size = n;
            memcpy(part + 16, &size, 8);
            fix_checksum(part, n);
            if (!is_refused(part, n, &err))
                fail_msg("%zu bytes with a header that fits", n);
        }
        free(part);
    }
    free(file);
}

static void longer_files_are_refused(void **state) {
    (void)state;
    gdrq_error err;
    uint8_t longer[TINY_SIZE + 64] = {0};
    uint8_t *file = tiny_file();
    memcpy(longer, file, TINY_SIZE);
    for (size_t n = TINY_SIZE + 1; n <= sizeof longer; ++n) {
        const uint64_t size = n;
        uint8_t *copy = aligned_copy(longer, n);
        assert_true(is_refused(copy, n, &err));
        memcpy(copy + 16, &size, 8);
        fix_checksum(copy, n);
        assert_true(is_refused(copy, n, &err));
        assert_non_null(strstr(err.message, "goes on behind its last array"));
        free(copy);
    }
    free(file);
}

static void any_changed_bit_is_noticed(void **state) {
    (void)state;
    gdrq_error err;
    uint8_t *file = tiny_file();
    for (size_t i = 0; i < 8 * TINY_SIZE; ++i) {
        file[i / 8] ^= (uint8_t)(1 << i % 8);
        if (!is_refused(file, TINY_SIZE, &err))
            fail_msg("bit %zu of byte %zu", i % 8, i / 8);
        file[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < TINY_SIZE; ++i) {
        const uint8_t was = file[i];
        file[i] = (uint8_t)~was;
        assert_true(is_refused(file, TINY_SIZE, &err));
        file[i] = was;
    }
    free(file);
}

/* A field of the tiny file with a value, behind a checksum that fits, and what the error names. */
typedef struct hostile {
    size_t at, n;
    uint64_t value;
    const char *expected;
} hostile;

#define FLOAT_NAN 0x7fc00000
#define FLOAT_INF 0x7f800000
static const hostile hostiles[] = {
    {0, 8, 0, "magic"},
    {8, 4, 0, "version 0"},
    {8, 4, 2, "version 2 of the format; this program reads version 1: use a newer one"},
    {16, 8, 0, "file size"},
    {16, 8, TINY_SIZE + 1, "file size"},
    {16, 8, UINT64_MAX, "file size"},
    {32, 4, UINT32_MAX, "number of classes -1 is not in 0..65536"},
    {32, 4, 65537, "number of classes"},
    {32, 4, 65536, "class table reaches beyond the file's end"},
    {32, 4, 13, "class table reaches beyond the file's end"},
    {32, 4, 12, "layer table does not begin"},
    {36, 4, INT32_MAX, "number of layers"},
    {36, 4, 65536, "layer table reaches beyond the file's end"},
    {36, 4, 3, "layer 2: array of packed weights does not begin"},
    {40, 8, 0, "class table does not begin"},
    {40, 8, UINT64_MAX - 63, "class table does not begin"},
    {48, 8, 64, "layer table does not begin"},
    {48, 8, 192, "layer table does not begin"},
    {56, 8, 1, "reserved bytes of the header"},
    {64, 4, (uint32_t)-2, "class 0: tensor -2 is not in -1..65535"},
    {64, 4, 65536, "class 0: tensor 65536"},
    {64, 4, 2, "layer 2: class 0 is of tensor 2, which this layer can't read"},
    {68, 4, 1, "class 0: bits 1 is not in 2..8"},
    {68, 4, 9, "class 0: bits 9"},
    {68, 4, 8, "class 0: zero code 1 is not 23"},
    {72, 4, 0, "class 0: range 0"},
    {72, 4, 4, "class 0: range 4"},
    {72, 4, 1, "class 0: zero code 1 is not 0"},
    {76, 4, 0, "class 0: zero code 0 is not 1"},
    {76, 4, UINT32_MAX, "class 0: zero code -1"},
    {80, 4, 0, "class 0: step 0"},
    {80, 4, FLOAT_NAN, "class 0: step"},
    {80, 4, FLOAT_INF, "class 0: step"},
    {80, 4, 0xbf000000, "class 0: step -0.5"},
    {80, 4, 1, "class 0: step"}, /* subnormal */
    {80, 4, 0x3f000004, "class 0: inverse step"},
    {84, 4, 0, "class 0: inverse step"},
    {80, 8, UINT64_C(0x8000000080000000), "class 0: step -0"},
    {84, 4, 1, "class 0: inverse step"},
    {84, 4, FLOAT_NAN, "class 0: inverse step"},
    {84, 4, FLOAT_INF, "class 0: inverse step"},
    {84, 4, 0x40000003, "class 0: inverse step"},
    {84, 4, 0x3ffffffd, "class 0: inverse step"},
    {84, 4, 0xc0000000, "class 0: inverse step"},
    {88, 8, 1, "class 0: reserved"},
    {96, 1, 1, "layer table follows bytes that are not 0"},
    {127, 1, 1, "layer table follows bytes that are not 0"},
    {128, 4, UINT32_MAX, "entry 0 of layers: index -1"},
    {128, 4, 65536, "entry 0 of layers: index 65536"},
    {128, 4, 5, "entry 1 of layers: index 5 is not in 6..65535"},
    {132, 4, 0, "layer 2: kind"},
    {132, 4, 3, "layer 2: kind"},
    {132, 4, 2, "layer 2: fields of a folded layer"},
    {136, 4, 1, "layer 2: class 1 is not one of the 1"},
    {136, 4, UINT32_MAX, "layer 2: class -1"},
    {140, 4, 0, "layer 2: filters 0"},
    {140, 4, UINT32_MAX, "layer 2: filters -1"},
    {140, 4, 2, "layer 2: size of the packed weights"},
    {140, 4, INT32_MAX, "layer 2: size of the packed weights"},
    {144, 4, 0, "layer 2: filter size 0"},
    {144, 4, UINT32_MAX, "layer 2: filter size 0"},
    {144, 4, INT32_MAX, "layer 2: size of the packed weights"},
    {144, 4, 4, "layer 2: packed weights of filter 0"}, /* the fifth code lies behind */
    {148, 4, 0, "layer 2: weight bits are 0"},
    {148, 4, 1, "layer 2: weight bits 1"},
    {148, 4, 9, "layer 2: weight bits 9"},
    {148, 4, 4, "layer 2: size of the packed weights"},
    {152, 8, 0, "layer 2: array of packed weights does not begin"},
    {152, 8, 257, "layer 2: array of packed weights does not begin"},
    {152, 8, 320, "layer 2: array of packed weights does not begin"},
    {152, 8, UINT64_MAX - 63, "layer 2: array of packed weights does not begin"},
    {160, 8, 3, "layer 2: size of the packed weights"},
    {160, 8, UINT64_MAX, "layer 2: size of the packed weights"},
    {168, 8, 256, "layer 2: array of scales does not begin"},
    {176, 8, 320, "layer 2: array of biases does not begin"},
    {184, 8, 1, "layer 2: reserved"},
    {192, 4, 2, "entry 1 of layers: index 2"},
    {196, 4, 1, "layer 5: weight bits are 0"},
    {200, 4, 1, "layer 5: fields of a folded layer"},
    {204, 4, 1, "layer 5: fields of a folded layer"},
    {208, 4, 1, "layer 5: fields of a folded layer"},
    {212, 4, 4, "layer 5: fields of a folded layer"},
    {216, 8, 384, "layer 5: floats does not begin"},
    {224, 8, 0, "layer 5: has no floats"},
    {224, 8, 4, "goes on behind its last array"},
    {224, 8, 7, "layer 5: size of the floats"},
    {224, 8, 12, "layer 5: floats reaches beyond the file's end"},
    {224, 8, UINT64_MAX - 3, "layer 5: size of the floats"},
    {232, 8, 64, "layer 5: fields of a folded layer"},
    {240, 8, 64, "layer 5: fields of a folded layer"},
    {248, 8, 1, "layer 5: reserved"},
    {256, 1, 0x07, "layer 2: packed weights of filter 0"},
    {257, 1, 0xd7, "layer 2: packed weights of filter 0"}, /* an unused bit */
    {258, 1, 1, "layer 2: array of scales follows bytes that are not 0"},
    {320, 4, FLOAT_NAN, "layer 2: scale 0 is not a finite number"},
    {384, 4, FLOAT_INF, "layer 2: bias 0 is not a finite number"},
    {452, 4, FLOAT_NAN, "layer 5: float 1 is not a finite number"},
};

static void each_field_is_checked(void **state) {
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof hostiles / sizeof *hostiles; ++i) {
        const hostile *h = &hostiles[i];
        uint8_t *file = tiny_file();
        gdrq_error err;
        memcpy(file + h->at, &h->value, h->n);
        fix_checksum(file, TINY_SIZE);
        if (!is_refused(file, TINY_SIZE, &err) || !strstr(err.message, h->expected)) {
            print_error("bytes %zu: '%s' lacks '%s'\n", h->at, err.message, h->expected);
            ++wrong;
        }
        free(file);
    }
    assert_int_equal(wrong, 0);
}

/*
 * Where the extremes below hold another possible value: the hash, indices, range with zero code,
 * both steps as 0, an inverse step that differs in its last place.
 */
static bool can_change(size_t at) {
    return (at >= 24 && at < 32) || at == 64 || at == 72 || at == 80 || at == 84 || at == 128 ||
           at == 192;
}

/* Extremes for every word of header and tables, one and two at a time. */
static void extreme_words_are_refused(void **state) {
    (void)state;
    static const uint64_t extremes[] = {0,
                                        1,
                                        UINT64_MAX,
                                        INT64_MAX,
                                        INT64_MIN,
                                        UINT32_MAX,
                                        INT32_MAX,
                                        1u << 31,
                                        1ull << 32,
                                        TINY_SIZE,
                                        TINY_SIZE - 64,
                                        -64ull,
                                        -456ull,
                                        1ull << 62,
                                        0x40000000,
                                        0x3fffffff,
                                        -(1ull << 31),
                                        65535,
                                        0x4000000040000000};
    enum { N = sizeof extremes / sizeof *extremes, WORDS = 256 / 4 };
    gdrq_error err;
    uint8_t *file = tiny_file(), *good = tiny_file();
    for (size_t a = 0; a < WORDS * N; ++a) {
        for (size_t b = a; b < WORDS * N; b += b == a ? 1 : 37) {
            const size_t at[] = {a / N * 4, b / N * 4};
            const size_t size[] = {at[0] % 8 ? 4 : 8, at[1] % 8 ? 4 : 8};
            memcpy(file, good, 256);
            memcpy(file + at[0], &extremes[a % N], size[0]);
            memcpy(file + at[1], &extremes[b % N], size[1]);
            fix_checksum(file, TINY_SIZE);
            if (memcmp(file, good, 256) == 0)
                continue;
            if (!is_refused(file, TINY_SIZE, &err) && !(can_change(at[0]) || can_change(at[1])))
                fail_msg("bytes %zu and %zu, extremes %zu and %zu", at[0], at[1], a % N, b % N);
        }
    }
    free(file);
    free(good);
}

/* Whatever is accepted is exactly what writing its numbers gives: no byte is without meaning. */
static void accepted_files_are_what_would_be_written(void **state) {
    (void)state;
    seed_random(3);
    int accepted = 0;
    for (int trial = 0; trial < 60000; ++trial) {
        gdrq_folded f;
        uint8_t *file = tiny_file();
        for (int changes = random_int(1, 3); changes > 0; --changes)
            file[random_int(8, TINY_SIZE - 1)] = (uint8_t)(random_bits() >> random_int(0, 63));
        fix_checksum(file, TINY_SIZE);
        if (gdrq_folded_parse("net.folded", file, TINY_SIZE, &f, NULL) == GDRQ_OK) {
            if (++accepted < 300) {
                size_t n;
                uint8_t *again = bytes_of(&f, &n);
                assert_int_equal(n, TINY_SIZE);
                assert_memory_equal(again, file, n);
                free(again);
            }
            gdrq_folded_close(&f);
        }
        free(file);
    }
    assert_true(accepted > 100);
}

static void steps_may_differ_as_rounding_makes_them(void **state) {
    (void)state;
    seed_random(4);
    for (int trial = 0; trial < 20000; ++trial) {
        gdrq_folded_class class = random_class(-1);
        /* All thresholds but those with which a step or its inverse is subnormal. */
        const float threshold = (float)exp(167 * random_unit() - 81);
        class.grid = gdrq_activation_grid(class.bits, class.range, .1f, threshold);
        gdrq_folded f = {.classes = &class, .n_classes = 1}, back;
        size_t n;
        gdrq_error err = {""};
        if (trial < 50) { /* files are slow */
            uint8_t *bytes = bytes_of(&f, &n);
            if (gdrq_folded_parse("net.folded", bytes, n, &back, &err) != GDRQ_OK)
                fail_msg("T = %g: %s", (double)threshold, err.message);
            gdrq_folded_close(&back);
            free(bytes);
        }
        /* Written into nowhere: what matters is whether it is refused. */
        if (gdrq_folded_write("/dev/null", &f, &err) != GDRQ_OK)
            fail_msg("T = %g, %d bits: %s", (double)threshold, class.bits, err.message);
    }
}

static void expect_no_write(gdrq_folded *f, const char *expected) {
    char path[32];
    gdrq_error err = {""};
    uint8_t *content;
    size_t n;
    test_path(path);
    assert_int_equal(gdrq_folded_write(path, f, &err), GDRQ_ERROR_STATE);
    if (!strstr(err.message, expected) || strncmp(err.message, path, strlen(path)) != 0)
        fail_msg("'%s' lacks '%s'", err.message, expected);
    content = read_bytes(path, &n);
    assert_int_equal(n, 0); /* as it was */
    free(content);
    unlink(path);
}

static void bad_numbers_are_not_written(void **state) {
    (void)state;
    gdrq_folded_class class;
    gdrq_folded_layer layers[2];
    gdrq_folded tiny = tiny_folded(&class, layers);
    const float nan = NAN;
    layers[0].scale = &nan;
    expect_no_write(&tiny, "layer 2: scale 0");
    tiny = tiny_folded(&class, layers);
    layers[0].weights = (const uint8_t[]){0x07, 0x57};
    expect_no_write(&tiny, "layer 2: packed weights of filter 0");
    tiny = tiny_folded(&class, layers);
    class.grid.max = 15;
    expect_no_write(&tiny, "class 0: codes -1..15 are not -1..14");
    tiny = tiny_folded(&class, layers);
    layers[0].index = 5;
    expect_no_write(&tiny, "entry 1 of layers: index 5");
    tiny = tiny_folded(&class, layers);
    gdrq_folded_class twice[2] = {class, class};
    tiny.classes = twice;
    tiny.n_classes = 2;
    expect_no_write(&tiny, "class 1: tensor -1 has a class already");
}

/* Files that are none, by gdrq_folded_read(). */
static void expect_no_read(const char *path, gdrq_status status, const char *expected) {
    gdrq_folded f;
    const gdrq_folded empty = {0};
    gdrq_error err = {""};
    assert_int_equal(gdrq_folded_read(path, &f, &err), status);
    assert_memory_equal(&f, &empty, sizeof f);
    if (!strstr(err.message, expected) || strncmp(err.message, path, strlen(path)) != 0)
        fail_msg("'%s' lacks '%s'", err.message, expected);
}

static void write_bytes(const char *path, const void *bytes, size_t n) {
    const int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    close(fd);
}

static void other_files_are_refused(void **state) {
    (void)state;
    char path[32];
    uint8_t *file = tiny_file();
    test_path(path);
    expect_no_read(path, GDRQ_ERROR_FORMAT, "file size of 0 bytes");
    assert_false(gdrq_folded_is(path));
    write_bytes(path, file, 7);
    assert_false(gdrq_folded_is(path));
    write_bytes(path, file, 63);
    expect_no_read(path, GDRQ_ERROR_FORMAT, "file size of 63 bytes");
    assert_true(gdrq_folded_is(path));
    write_bytes(path, file, 64);
    expect_no_read(path, GDRQ_ERROR_FORMAT, "file size 64 instead of 456");
    write_bytes(path, file + 1, TINY_SIZE - 1);
    expect_no_read(path, GDRQ_ERROR_FORMAT, "magic");
    assert_false(gdrq_folded_is(path));
    unlink(path);
    expect_no_read(path, GDRQ_ERROR_IO, "can't open");
    assert_false(gdrq_folded_is(path));
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_no_read(path, GDRQ_ERROR_IO, "no regular file");
    assert_false(gdrq_folded_is(path));
    unlink(path);
    expect_no_read("/", GDRQ_ERROR_IO, "no regular file");
    assert_false(gdrq_folded_is("/"));
    free(file);
}

/* The fuzzer's seeds are worth something only while they are accepted. */
static void seeds_are_good_files(void **state) {
    (void)state;
    glob_t files;
    assert_int_equal(glob("tests/fuzz/seeds/folded/*", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; ++i) {
        gdrq_folded f;
        gdrq_error err = {""};
        if (gdrq_folded_read(files.gl_pathv[i], &f, &err) != GDRQ_OK)
            fail_msg("%s", err.message);
        gdrq_folded_close(&f);
    }
    assert_true(files.gl_pathc >= 4);
    globfree(&files);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(numbers_decide_all_bytes),
        cmocka_unit_test(bytes_are_frozen),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(longer_files_are_refused),
        cmocka_unit_test(any_changed_bit_is_noticed),
        cmocka_unit_test(each_field_is_checked),
        cmocka_unit_test(extreme_words_are_refused),
        cmocka_unit_test(accepted_files_are_what_would_be_written),
        cmocka_unit_test(steps_may_differ_as_rounding_makes_them),
        cmocka_unit_test(bad_numbers_are_not_written),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(seeds_are_good_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
