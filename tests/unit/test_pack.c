/* Packed weight codes: against a reference that writes bit by bit, and what is refused. */
#include <string.h>

#include "cmocka_all.h"
#include "quant/pack.h"
#include "random_data.h"

enum { GUARD = 0x5a };

static int largest_code(int bits) {
    return (1 << (bits - 1)) - 1;
}

static int8_t *random_codes(size_t n, int bits) {
    int8_t *codes = malloc(n ? n : 1);
    for (size_t i = 0; i < n; ++i)
        codes[i] = (int8_t)random_int(-largest_code(bits), largest_code(bits));
    return codes;
}

/* Code i's bit k is bit i*bits + k of the packed form, by the definition. */
static void pack_bit_by_bit(const int8_t *codes, size_t n, int bits, uint8_t *packed) {
    memset(packed, 0, (n * (size_t)bits + 7) / 8);
    for (size_t i = 0; i < n; ++i) {
        for (int k = 0; k < bits; ++k) {
            const size_t at = i * (size_t)bits + (size_t)k;
            const int bit = (codes[i] + largest_code(bits)) >> k & 1;
            packed[at / 8] |= (uint8_t)(bit << at % 8);
        }
    }
}

static void sizes_round_up_to_bytes(void **state) {
    (void)state;
    for (int bits = 2; bits <= 8; ++bits)
        for (size_t n = 0; n < 100; ++n)
            assert_int_equal(gdrq_packed_size(n, bits), (n * (size_t)bits + 7) / 8);
    /* No product overflows. */
    assert_true(gdrq_packed_size(SIZE_MAX, 8) == SIZE_MAX);
    assert_true(gdrq_packed_size(SIZE_MAX, 4) == SIZE_MAX / 2 + 1);
}

static void known_bytes(void **state) {
    (void)state;
    uint8_t packed[3];
    gdrq_pack((const int8_t[]){-7, 7, 0}, 3, 4, packed);
    assert_memory_equal(packed, ((const uint8_t[]){0xe0, 0x07}), 2);
    gdrq_pack((const int8_t[]){3, -3, 1, 0, 2}, 5, 3, packed);
    assert_memory_equal(packed, ((const uint8_t[]){0x06, 0x57}), 2);
    gdrq_pack((const int8_t[]){-127, 0, 127}, 3, 8, packed);
    assert_memory_equal(packed, ((const uint8_t[]){0, 127, 254}), 3);
}

static void check_round_trip(size_t n, int bits) {
    const size_t size = gdrq_packed_size(n, bits);
    int8_t *codes = random_codes(n, bits), *back = malloc(n + 1);
    uint8_t *packed = malloc(size + 1), *expected = malloc(size + 1);
    packed[size] = expected[size] = GUARD;
    back[n] = GUARD;
    gdrq_pack(codes, n, bits, packed);
    pack_bit_by_bit(codes, n, bits, expected);
    if (memcmp(packed, expected, size + 1) != 0)
        fail_msg("packing %zu codes of %d bits", n, bits);
    assert_true(gdrq_packed_is_good(packed, n, bits));
    gdrq_unpack(packed, n, bits, back);
    if (memcmp(back, codes, n) != 0 || back[n] != GUARD)
        fail_msg("unpacking %zu codes of %d bits", n, bits);
    free(codes);
    free(back);
    free(packed);
    free(expected);
}

static void codes_come_back(void **state) {
    (void)state;
    seed_random(1);
    for (int bits = 2; bits <= 8; ++bits) {
        for (size_t n = 0; n <= 70; ++n)
            check_round_trip(n, bits);
        for (int trial = 0; trial < 20; ++trial)
            check_round_trip((size_t)random_int(71, 5000), bits);
    }
}

/* Sets all bits of code i, or one bit behind the last code, which both must be noticed. */
static void wrong_bits_are_noticed(void **state) {
    (void)state;
    seed_random(2);
    for (int bits = 2; bits <= 8; ++bits) {
        for (size_t n = 1; n <= 40; ++n) {
            const size_t size = gdrq_packed_size(n, bits), used = n * (size_t)bits;
            int8_t *codes = random_codes(n, bits);
            uint8_t *good = malloc(size), *bad = malloc(size);
            gdrq_pack(codes, n, bits, good);
            for (size_t i = 0; i < n; ++i) {
                memcpy(bad, good, size);
                for (size_t at = i * (size_t)bits; at < (i + 1) * (size_t)bits; ++at)
                    bad[at / 8] |= (uint8_t)(1 << at % 8);
                if (gdrq_packed_is_good(bad, n, bits))
                    fail_msg("code %zu of %zu, %d bits", i, n, bits);
            }
            for (size_t at = used; at < 8 * size; ++at) {
                memcpy(bad, good, size);
                bad[at / 8] |= (uint8_t)(1 << at % 8);
                if (gdrq_packed_is_good(bad, n, bits))
                    fail_msg("bit %zu behind %zu codes of %d bits", at - used, n, bits);
            }
            free(codes);
            free(good);
            free(bad);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_round_up_to_bytes),
        cmocka_unit_test(known_bytes),
        cmocka_unit_test(codes_come_back),
        cmocka_unit_test(wrong_bits_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
