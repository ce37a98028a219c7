#include "train/loader.h"

#include "base/alloc.h"
#include "base/status.h"
#include "train/picture_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_THREADS = 16, SOME_THREADS = 4 };

static const size_t cache_bytes = (size_t)512 << 20;

/* One batch is filled while the trainer reads the other. */
typedef struct buffer {
    loader_batch batch;
    size_t code_bytes, truth_floats; /* allocated */
} buffer;

struct loader {
    loader_options options;
    picture_cache *cache;
    buffer buffers[2];
    int filling; /* the buffer that the request is for */
    pthread_t threads[MAX_THREADS];
    int n_threads;

    /* Guarded by lock. */
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    uint64_t first; /* sample number of the batch's sample 0 */
    int next, done; /* samples of the request handed out and completed */
    bool stop;
    gdrq_status status; /* of the failed sample with the lowest number */
    int failed;         /* that number within the batch */
    gdrq_error err;
};

/* Sample i of the batch, which is number `index` of the run. */
static gdrq_status make_sample(loader *l, const loader_batch *batch, int i, uint64_t index,
                               gdrq_error *err) {
    const loader_options *o = &l->options;
    const size_t codes = 3 * (size_t)batch->w * batch->h, truths = (size_t)o->truths;
    const loader_sample sample = {batch->w, batch->h, batch->codes + codes * (size_t)i,
                                  batch->truth + truths * (size_t)i};
    random_stream random = random_start(o->seed, index);
    const int image = random_below(&random, o->n_images);
    picture p;
    gdrq_status status = picture_cache_get(l->cache, image, o->paths[image], &p, err);
    if (status != GDRQ_OK)
        return status;
    memset(sample.truth, 0, truths * sizeof *sample.truth);
    status = o->make(o->user, &random, image, &p, &sample, err);
    picture_cache_release(l->cache, image, &p);
    return status;
}

/* With the lock held; i < 0 means that there is nothing to do. */
static int take_sample(loader *l) {
    const int n = l->buffers[l->filling].batch.n;
    return l->next < n ? l->next++ : -1;
}

static void note_failure(loader *l, int i, gdrq_status status, const gdrq_error *err) {
    if (l->status != GDRQ_OK && l->failed < i)
        return;
    l->status = status;
    l->failed = i;
    l->err = *err;
}

static void *work(void *user) {
    loader *l = user;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        const int i = take_sample(l);
        if (i < 0) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        const loader_batch batch = l->buffers[l->filling].batch;
        const uint64_t index = l->first + (uint64_t)i;
        pthread_mutex_unlock(&l->lock);
        gdrq_error err;
        const gdrq_status status = make_sample(l, &batch, i, index, &err);
        pthread_mutex_lock(&l->lock);
        if (status != GDRQ_OK)
            note_failure(l, i, status, &err);
        if (++l->done == batch.n)
            pthread_cond_signal(&l->finished);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static gdrq_status start_threads(loader *l, gdrq_error *err) {
    const int wanted = l->options.threads < MAX_THREADS ? l->options.threads : MAX_THREADS;
    for (; l->n_threads < wanted; l->n_threads++)
        if (pthread_create(&l->threads[l->n_threads], NULL, work, l) != 0)
            return gdrq_fail(err, GDRQ_ERROR_MEMORY, "can't start a thread to load images");
    return GDRQ_OK;
}

loader_options loader_options_default(void) {
    const int threads = sysconf(_SC_NPROCESSORS_ONLN) > SOME_THREADS ? SOME_THREADS : 2;
    return (loader_options){.threads = threads, .cache_bytes = cache_bytes};
}

gdrq_status loader_open(const loader_options *options, loader **out, gdrq_error *err) {
    loader *l = *out = gdrq_alloc(1, sizeof *l);
    if (!l)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    l->options = *options;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->finished, NULL);
    gdrq_status status =
        picture_cache_make(options->n_images, options->cache_bytes, &l->cache, err);
    if (status == GDRQ_OK)
        status = start_threads(l, err);
    if (status != GDRQ_OK) {
        loader_close(l);
        *out = NULL;
    }
    return status;
}

static gdrq_status size_buffer(buffer *b, int n, int w, int h, int truths, gdrq_error *err) {
    const size_t code_bytes = 3 * (size_t)w * h * n, truth_floats = (size_t)truths * n;
    if (code_bytes > b->code_bytes || truth_floats > b->truth_floats) {
        free(b->batch.codes);
        free(b->batch.truth);
        *b = (buffer){.code_bytes = code_bytes, .truth_floats = truth_floats};
        b->batch.codes = gdrq_alloc(code_bytes, 1);
        b->batch.truth = gdrq_alloc(truth_floats, sizeof *b->batch.truth);
    }
    if (!b->batch.codes || !b->batch.truth) {
        b->code_bytes = b->truth_floats = 0;
        return gdrq_fail(err, GDRQ_ERROR_MEMORY,
                         "out of memory for %d images of %d x %d; lower [net] batch", n, w, h);
    }
    b->batch.n = n;
    b->batch.w = w;
    b->batch.h = h;
    return GDRQ_OK;
}

gdrq_status loader_request(loader *l, uint64_t first, int n, int w, int h, gdrq_error *err) {
    /* No thread is at work between loader_take() and here, so the buffer can change unlocked. */
    const int other = !l->filling;
    const gdrq_status status = size_buffer(&l->buffers[other], n, w, h, l->options.truths, err);
    if (status != GDRQ_OK)
        return status;
    pthread_mutex_lock(&l->lock);
    l->filling = other;
    l->first = first;
    l->next = l->done = 0;
    l->status = GDRQ_OK;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return GDRQ_OK;
}

gdrq_status loader_take(loader *l, const loader_batch **batch, gdrq_error *err) {
    pthread_mutex_lock(&l->lock);
    const loader_batch *taken = &l->buffers[l->filling].batch;
    while (l->done < taken->n)
        pthread_cond_wait(&l->finished, &l->lock);
    const gdrq_status status = l->status;
    if (status != GDRQ_OK && err)
        *err = l->err;
    pthread_mutex_unlock(&l->lock);
    *batch = taken;
    return status;
}

void loader_close(loader *l) {
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
    pthread_cond_destroy(&l->finished);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    picture_cache_free(l->cache);
    for (int i = 0; i < 2; i++) {
        free(l->buffers[i].batch.codes);
        free(l->buffers[i].batch.truth);
    }
    free(l);
}
