#include "cpu_build.h"

#ifdef GPU

#include "gdrq.h"
#include "report.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool wants_cpu(char **argv) {
    for (char **arg = argv + 1; *arg && strcmp(*arg, "--"); arg++)
        if ((*arg)[0] == '-' && !strcmp(*arg + strspn(*arg, "-"), "nogpu"))
            return true;
    return false;
}

static int become_cpu_build(const char *why, char **argv) {
    char path[PATH_MAX + sizeof "-cpu"];
    const ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    if (n > 0) {
        path[n] = '\0';
        snprintf(strrchr(path, '/'), sizeof "/darknet-cpu", "/darknet-cpu");
        report("%s: the CPU build runs, %s", why, path);
        execv(path, argv);
    }
    report(
        "the CPU build can't be run: it belongs beside the GPU build, as darknet-cpu (make GPU=1 "
        "and make GPU=1 install put it there)");
    return 1;
}

int cpu_build_take_over(char **argv) {
    gdrq_error err;
    if (wants_cpu(argv))
        return become_cpu_build("-nogpu", argv);
    return gdrq_gpu_ready(&err) == GDRQ_OK ? -1 : become_cpu_build(err.message, argv);
}

static bool runs_on_gpu(const char *verb) {
    static const char *const verbs[] = {"bench", "fold", "verify"};
    for (size_t i = 0; verb && i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verb, verbs[i]))
            return true;
    return false;
}

int cpu_build_take_over_command(char *const *words, char **argv) {
    if (strcmp(words[0], "gdrq") || runs_on_gpu(words[1]))
        return -1;
    return become_cpu_build("this one computes on the CPU", argv);
}

#else

int cpu_build_take_over(char **argv) {
    (void)argv;
    return -1;
}

int cpu_build_take_over_command(char *const *words, char **argv) {
    (void)words, (void)argv;
    return -1;
}

#endif
