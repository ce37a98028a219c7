#include "train/state.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/write_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The file: this head, the optimiser's arrays, the mean of weights (mean_floats = 0: none), and a
 * hash of all that. Numbers are as in memory, little-endian on every machine that we build for.
 */
typedef struct head {
    char magic[8];
    uint64_t weights; /* hash of the weights that it belongs to */
    int64_t updates;
    train_state state;
    uint64_t optimiser_floats, mean_floats, mean_steps;
} head;

static const char MAGIC[8] = {'G', 'D', 'R', 'Q', 'T', 'R', 'N', '1'};
_Static_assert(sizeof(head) == 8 * (3 + 7 + 3), "the head has no gaps");

static void hash_array(void *user, const float *data, size_t n) {
    uint64_t *hash = user;
    *hash = gdrq_hash(*hash, data, n * sizeof *data);
}

static void add_size(void *user, const float *data, size_t n) {
    (void)data;
    *(uint64_t *)user += n;
}

static uint64_t hash_weights(const network *net) {
    uint64_t hash = gdrq_hash(GDRQ_HASH, net->seen, sizeof *net->seen);
    gdrq_network_read_arrays(net, GDRQ_ARRAYS_WEIGHTS, hash_array, &hash);
    return hash;
}

static uint64_t optimiser_floats(const network *net) {
    uint64_t n = 0;
    gdrq_network_read_arrays(net, GDRQ_ARRAYS_OPTIMISER, add_size, &n);
    return n;
}

char *state_path(const char *weights_path) {
    static const char from[] = ".weights", to[] = ".state";
    size_t n = strlen(weights_path);
    if (n > strlen(from) && !strcmp(weights_path + n - strlen(from), from))
        n -= strlen(from);
    char *path = gdrq_alloc(n + sizeof to, 1);
    if (path) {
        memcpy(path, weights_path, n);
        memcpy(path + n, to, sizeof to);
    }
    return path;
}

typedef struct writer {
    const char *path;
    const network *net;
    const head *head;
    const ema *mean;
    int fd;
    uint64_t hash;
    bool ok;
} writer;

static void put(writer *w, const void *bytes, size_t n) {
    if (!w->ok)
        return;
    w->hash = gdrq_hash(w->hash, bytes, n);
    w->ok = gdrq_write_all(w->fd, bytes, n);
}

static void put_array(void *user, const float *data, size_t n) {
    put(user, data, n * sizeof *data);
}

static gdrq_status write_state(void *user, int fd, gdrq_error *err) {
    writer *w = user;
    w->fd = fd;
    put(w, w->head, sizeof *w->head);
    gdrq_network_read_arrays(w->net, GDRQ_ARRAYS_OPTIMISER, put_array, w);
    if (w->mean)
        put(w, w->mean->mean, w->mean->n * sizeof *w->mean->mean);
    if (w->ok)
        w->ok = gdrq_write_all(fd, &w->hash, sizeof w->hash);
    return w->ok ? GDRQ_OK
                 : gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write the training's state",
                                   w->path);
}

gdrq_status state_save(const char *weights_path, const char *path, network *net,
                       const train_state *state, const ema *e, gdrq_error *err) {
    head h = {.weights = hash_weights(net),
              .updates = *net->t,
              .state = *state,
              .optimiser_floats = optimiser_floats(net),
              .mean_floats = e ? e->n : 0,
              .mean_steps = e ? e->steps : 0};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    writer w = {.path = path, .net = net, .head = &h, .mean = e, .hash = GDRQ_HASH, .ok = true};
    const gdrq_output files[] = {{weights_path, gdrq_network_write, net}, {path, write_state, &w}};
    gdrq_error reason;
    const gdrq_status status = gdrq_write_files_atomically(files, 2, &reason);
    if (status == GDRQ_OK)
        return GDRQ_OK;
    return gdrq_fail(err, status, "%.450s: not saved: %.500s", weights_path, reason.message);
}

/* The whole file; *bytes is NULL where there is none. */
static gdrq_status read_state(const char *path, unsigned char **bytes, size_t *n, gdrq_error *err) {
    struct stat st;
    *bytes = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return GDRQ_OK;
    gdrq_status status = GDRQ_OK;
    if (fd < 0 || fstat(fd, &st) != 0) {
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read the training's state", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = gdrq_fail(err, GDRQ_ERROR_IO, "%s: not a file", path);
    } else if (!(*bytes = gdrq_alloc((size_t)st.st_size, 1))) {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory for %lld bytes", path,
                           (long long)st.st_size);
    } else {
        ssize_t got = 1;
        for (*n = 0; *n < (size_t)st.st_size && got > 0; *n += got > 0 ? (size_t)got : 0)
            got = read(fd, *bytes + *n, (size_t)st.st_size - *n);
        if (got < 0)
            status =
                gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read the training's state", path);
    }
    if (fd >= 0)
        close(fd);
    return status;
}

/* Of a file of n bytes; afterwards the sizes in the head can be trusted. */
static gdrq_status check_file(const char *path, const unsigned char *bytes, size_t n, head *h,
                              gdrq_error *err) {
    uint64_t expected;
    bool ok = n >= sizeof *h + sizeof expected;
    if (ok) {
        memcpy(h, bytes, sizeof *h);
        const uint64_t floats = (n - sizeof *h - sizeof expected) / sizeof(float);
        ok = !memcmp(h->magic, MAGIC, sizeof MAGIC) && h->optimiser_floats <= floats &&
             h->mean_floats == floats - h->optimiser_floats;
    }
    if (ok) {
        memcpy(&expected, bytes + n - sizeof expected, sizeof expected);
        ok = gdrq_hash(GDRQ_HASH, bytes, n - sizeof expected) == expected;
    }
    if (ok)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%s: the training's state is damaged; remove the file to go on from the "
                     "weights alone",
                     path);
}

static void get_array(void *user, float *data, size_t n) {
    const unsigned char **in = user;
    memcpy(data, *in, n * sizeof *data);
    *in += n * sizeof *data;
}

static void apply(const head *h, const unsigned char *arrays, network *net, train_state *state,
                  ema *e) {
    const unsigned char *mean = arrays + h->optimiser_floats * sizeof(float);
    gdrq_network_arrays(net, GDRQ_ARRAYS_OPTIMISER, get_array, &arrays);
    gdrq_network_set_updates(net, (int)h->updates);
    *state = h->state;
    if (!e || h->mean_floats != e->n)
        return;
    memcpy(e->mean, mean, e->n * sizeof *e->mean);
    e->steps = h->mean_steps;
}

gdrq_status state_load(const char *path, network *net, train_state *state, ema *e,
                       state_found *found, gdrq_error *err) {
    unsigned char *bytes;
    size_t n;
    head h = {0};
    gdrq_status status = read_state(path, &bytes, &n, err);
    *found = STATE_MISSING;
    if (status == GDRQ_OK && bytes) {
        status = check_file(path, bytes, n, &h, err);
        *found = STATE_OTHER_WEIGHTS;
    }
    if (status == GDRQ_OK && bytes && h.weights == hash_weights(net) &&
        h.optimiser_floats == optimiser_floats(net)) {
        apply(&h, bytes + sizeof h, net, state, e);
        *found = e && h.mean_floats != e->n ? STATE_NO_MEAN : STATE_WHOLE;
    }
    free(bytes);
    return status;
}
