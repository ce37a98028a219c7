#include "sensitivity/bits.h"

#include "base/status.h"

gdrq_status bits_read(const char *list, bit_set *set, gdrq_error *err) {
    *set = 0;
    for (const char *at = list;; at++) {
        const int bits = *at - '0';
        if (bits < BITS_FIRST || bits >= BITS_END || (at[1] && at[1] != ','))
            return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                             "'%.100s' is not a list of numbers from 2 to 8, as 2,3,4", list);
        *set = bits_with(*set, bits);
        if (!*++at)
            return GDRQ_OK;
    }
}
