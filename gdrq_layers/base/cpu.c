#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

static const char *const names[] = {
    [GDRQ_CPU_C] = "c",
    [GDRQ_CPU_AVX2] = "avx2",
    [GDRQ_CPU_AVX512VNNI] = "avx512vnni",
};
enum { LEVELS = sizeof names / sizeof *names };

/* The level that the user allows; -1: not asked yet. */
static int limit = -1;

static int find_level(const char *name) {
    for (int i = 0; name && i < LEVELS; i++)
        if (!strcmp(name, names[i]))
            return i;
    return -1;
}

/* The compiler's functions look at XGETBV as well: registers that the system doesn't save count as
 * missing. */
gdrq_cpu gdrq_cpu_detect(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2"))
        return GDRQ_CPU_C;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
        return GDRQ_CPU_AVX512VNNI;
    return GDRQ_CPU_AVX2;
#else
    return GDRQ_CPU_C;
#endif
}

const char *gdrq_cpu_name(gdrq_cpu level) {
    return names[level];
}

static _Atomic size_t cache; /* 0: not asked yet */

void gdrq_cpu_set_cache(size_t bytes) {
    cache = bytes;
}

size_t gdrq_cpu_cache(void) {
    if (cache == 0) {
        const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
        cache = bytes > 0 ? (size_t)bytes : 512 * 1024;
    }
    return cache;
}

gdrq_cpu gdrq_cpu_level(void) {
    if (limit < 0) {
        const int asked = find_level(getenv("GDRQ_CPU"));
        limit = asked >= 0 ? asked : LEVELS - 1;
    }
    const gdrq_cpu machine = gdrq_cpu_detect();
    return (int)machine < limit ? machine : (gdrq_cpu)limit;
}

gdrq_status gdrq_set_cpu(const char *name, gdrq_error *err) {
    const int level = find_level(name);
    if (level < 0)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "'%s' is no level of processors; there are c, avx2 and avx512vnni", name);
    limit = level;
    return GDRQ_OK;
}
