/*
 * How the driver talks to a worker: one command per line on standard input, one line of answer per
 * command. The host prints to standard output while it works, so the answers go to a copy of it,
 * and what the host prints is dropped.
 *
 *   run WARM N    WARM passes, then N timed ones     times T1 ... TN (seconds)
 *   layers N      the medians of N passes: of the whole, and of each convolutional layer in it
 *                                                    layers T T1 ... TL (seconds)
 *   dump FILE     writes what is to be compared      dumped
 *   status        cost of the last pass (0 if none), peak memory in KiB, the bytes that the float
 *                 copies of all convolutions' weights and inputs take
 *                                                    status COST PEAK CODES
 */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct bench_work {
    void *user;
    void (*pass)(void *user);
    int (*dump)(void *user, FILE *file); /* 0 if written */
    /* n passes after some that don't count; 0 if measured. NULL: this worker can't tell. */
    int (*layers)(void *user, int n, double *total, double *each);
    int n_layers;
    double cost;
    size_t code_bytes;
} bench_work;

static inline double bench_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Peak resident set in KiB; 0 if the kernel does not tell. */
static inline long bench_peak_kib(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

static inline int bench_dump(bench_work *work, const char *path) {
    FILE *file = fopen(path, "wb");
    if (!file)
        return 1;
    const int failed = work->dump(work->user, file);
    return fclose(file) != 0 || failed;
}

static inline void bench_run(bench_work *work, int warm, int n, FILE *answers) {
    for (int i = 0; i < warm; ++i)
        work->pass(work->user);
    fprintf(answers, "times");
    for (int i = 0; i < n; ++i) {
        const double start = bench_seconds();
        work->pass(work->user);
        fprintf(answers, " %.6f", bench_seconds() - start);
    }
    fprintf(answers, "\n");
}

/* It takes the system some milliseconds to give each thread that has slept a core of its own: the
 * last of measurements during this time counts. */
static const double BENCH_WARM_SECONDS = .03;

static inline int bench_layers(bench_work *work, int n, FILE *answers) {
    double *seconds = (double *)calloc((size_t)work->n_layers + 1, sizeof *seconds);
    if (!seconds || !work->layers)
        return free(seconds), 1;
    const double begin = bench_seconds();
    double start;
    do {
        start = bench_seconds();
        if (work->layers(work->user, n, seconds, seconds + 1) != 0)
            return free(seconds), 1;
    } while (start - begin < BENCH_WARM_SECONDS);
    fprintf(answers, "layers");
    for (int i = 0; i <= work->n_layers; ++i)
        fprintf(answers, " %.7f", seconds[i]);
    fprintf(answers, "\n");
    free(seconds);
    return 0;
}

/* Takes standard output over; NULL on failure. Call it before the host prints anything. */
static inline FILE *bench_answers(void) {
    const int copy = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY);
    if (copy < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
        return NULL;
    close(null);
    return fdopen(copy, "w");
}

/* Serves until standard input ends; the exit status. */
static inline int bench_serve(bench_work *work, FILE *answers) {
    char line[4096], path[4096];
    int warm, n;
    fprintf(answers, "ready\n");
    fflush(answers);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "run %d %d", &warm, &n) == 2)
            bench_run(work, warm, n, answers);
        else if (sscanf(line, "layers %d", &n) == 1 && n > 0 && bench_layers(work, n, answers) == 0)
            ;
        else if (sscanf(line, "dump %4095s", path) == 1 && bench_dump(work, path) == 0)
            fprintf(answers, "dumped\n");
        else if (strcmp(line, "status\n") == 0)
            fprintf(answers, "status %.9g %ld %zu\n", work->cost, bench_peak_kib(),
                    work->code_bytes);
        else
            return fprintf(stderr, "worker: can't do '%s'\n", strtok(line, "\n")), 1;
        fflush(answers);
    }
    return 0;
}

#endif
