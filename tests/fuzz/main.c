/*
 * Runs a fuzz target without libFuzzer:
 *   fuzz_NAME FILE|FOLDER...              each file once
 *   fuzz_NAME -seconds N [-seed S] ...    then changed files for N seconds
 * An input that ends the process, by a crash, a sanitiser's report or exit(), is left in
 * crash-NAME; running the target with that file repeats it. Nothing else is kept: with clang,
 * -fsanitize=fuzzer in place of this file looks for new paths as well.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum { LARGEST_INPUT = 1 << 16 };

typedef struct input {
    uint8_t *bytes;
    size_t n;
} input;

static input *seeds;
static size_t n_seeds;
static const char *program;
static const uint8_t *running; /* the input that the target works on; NULL between two */
static size_t running_size;
static uint64_t random_state;

/* The sanitisers' runtime has it, if it is there. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void die(const char *what, const char *name) {
    fprintf(stderr, "%s: %s %s\n", program, what, name);
    _exit(2);
}

/* Only calls that a signal handler may make. */
static void keep_input(void) {
    static char name[256] = "crash-";
    if (!running)
        return;
    const char *slash = strrchr(program, '/'), *base = slash ? slash + 1 : program;
    strncat(name, base, sizeof name - strlen(name) - 1);
    const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || write(fd, running, running_size) != (ssize_t)running_size ||
        write(STDOUT_FILENO, name, strlen(name)) < 0 ||
        write(STDOUT_FILENO, " repeats it\n", 12) < 0)
        _exit(3);
    running = NULL;
}

static void on_exit_call(void) {
    if (!running)
        return;
    keep_input();
    _exit(1); /* the target ended the process, whatever status it had in mind */
}

static void on_signal(int number) {
    keep_input();
    signal(number, SIG_DFL);
    raise(number);
}

static void watch(void) {
    atexit(on_exit_call);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(keep_input);
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal); /* it takes too long */
    if (__sanitizer_set_death_callback)
        return;
    signal(SIGSEGV, on_signal);
    signal(SIGBUS, on_signal);
    signal(SIGFPE, on_signal);
}

/* The input lies at the end of its allocation, so that a sanitiser sees a byte too many. */
static void run_one(const uint8_t *bytes, size_t n) {
    enum { SECONDS = 20 };
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        die("out of memory", "");
    memcpy(copy, bytes, n);
    running = copy;
    running_size = n;
    alarm(SECONDS);
    LLVMFuzzerTestOneInput(copy, n);
    alarm(0);
    running = NULL;
    free(copy);
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t random_bits(void) {
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t random_below(size_t n) {
    return (size_t)(random_bits() % n);
}

/* A number where such limits lie, of 1 to 8 bytes. */
static size_t overwrite_number(uint8_t *data, size_t size) {
    const uint64_t powers = UINT64_C(1) << random_below(64),
                   value = random_below(4) ? powers - 1 + random_below(3) : -powers;
    const size_t at = random_below(size), width = (size_t)1 << random_below(4);
    memcpy(data + at, &value, width < size - at ? width : size - at);
    return size;
}

static size_t remove_part(uint8_t *data, size_t size) {
    const size_t at = random_below(size), length = 1 + random_below(size - at);
    memmove(data + at, data + at + length, size - at - length);
    return size - length;
}

/* Copies a part of this or another input to somewhere in this one. */
static size_t insert_part(uint8_t *data, size_t size, size_t max) {
    const input *other = &seeds[random_below(n_seeds)];
    if (other->n == 0)
        return size;
    const size_t from = random_below(other->n), at = random_below(size + 1);
    size_t length = 1 + random_below(other->n - from);
    length = length < max - size ? length : max - size;
    memmove(data + at + length, data + at, size - at);
    memcpy(data + at, other->bytes + from, length);
    return size + length;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) {
    for (size_t n = 1 + random_below(4); n > 0 && size > 0; --n) {
        switch (random_below(8)) {
        case 0:
            size = remove_part(data, size);
            break;
        case 1:
            size = insert_part(data, size, max);
            break;
        case 2:
        case 3:
        case 4:
            size = overwrite_number(data, size);
            break;
        case 5:
            data[random_below(size)] = (uint8_t)random_bits();
            break;
        default:
            data[random_below(size)] ^= (uint8_t)(1u << random_below(8));
        }
    }
    return size;
}

static void fuzz(double seconds) {
    static uint8_t data[LARGEST_INPUT];
    const time_t end = time(NULL) + (time_t)seconds;
    unsigned long runs = 0;
    for (; time(NULL) < end; ++runs) {
        const input *seed = &seeds[random_below(n_seeds)];
        memcpy(data, seed->bytes, seed->n);
        run_one(data, LLVMFuzzerCustomMutator(data, seed->n, sizeof data, (unsigned)random_bits()));
    }
    printf("%lu changed inputs\n", runs);
}

static void read_file(const char *path) {
    struct stat st;
    const int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0)
        die("can't read", path);
    if ((size_t)st.st_size > LARGEST_INPUT)
        die("larger than 64 KiB:", path);
    input *grown = realloc(seeds, (n_seeds + 1) * sizeof *seeds);
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    if (!grown || !bytes)
        die("out of memory for", path);
    if (read(fd, bytes, (size_t)st.st_size) != st.st_size)
        die("can't read", path);
    close(fd);
    seeds = grown;
    seeds[n_seeds++] = (input){bytes, (size_t)st.st_size};
}

/* Plain files and the plain files in folders; in the order of their names, to be repeatable. */
static void read_argument(const char *path) {
    struct dirent **entries;
    const int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        read_file(path);
        return;
    }
    for (int i = 0; i < n; ++i) {
        char name[4096];
        struct stat st;
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
            read_file(name);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv) {
    double seconds = 0;
    program = argv[0];
    random_state = (uint64_t)time(NULL);
    for (int i = 1; i < argc; ++i) {
        const bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "-seconds") == 0 && has_value)
            seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "-seed") == 0 && has_value)
            random_state = strtoull(argv[++i], NULL, 0);
        else
            read_argument(argv[i]);
    }
    if (n_seeds == 0)
        die("usage:", "[-seconds N] [-seed S] FILE|FOLDER...");
    watch();
    for (size_t i = 0; i < n_seeds; ++i)
        run_one(seeds[i].bytes, seeds[i].n);
    printf("%zu files\n", n_seeds);
    if (seconds > 0) {
        printf("-seed %llu\n", (unsigned long long)random_state);
        fflush(stdout);
        fuzz(seconds);
    }
    for (size_t i = 0; i < n_seeds; ++i)
        free(seeds[i].bytes);
    free(seeds);
    return 0;
}
