#include "train/picture_cache.h"

#include "base/alloc.h"
#include "base/status.h"

#include <pthread.h>
#include <stdlib.h>

struct picture_cache {
    pthread_mutex_t lock;
    picture *held; /* empty where a picture is not held; never changed once set */
    int n;
    size_t bytes, budget;
};

gdrq_status picture_cache_make(int n, size_t budget, picture_cache **cache, gdrq_error *err) {
    picture_cache *c = gdrq_alloc(1, sizeof *c);
    picture *held = gdrq_alloc((size_t)n, sizeof *held);
    *cache = c;
    if (!c || !held) {
        free(c);
        free(held);
        *cache = NULL;
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d images", n);
    }
    pthread_mutex_init(&c->lock, NULL);
    c->held = held;
    c->n = n;
    c->budget = budget;
    return GDRQ_OK;
}

static picture held_picture(picture_cache *cache, int i) {
    pthread_mutex_lock(&cache->lock);
    const picture p = cache->held[i];
    pthread_mutex_unlock(&cache->lock);
    return p;
}

/* Decoding happens outside of the lock, so two threads may decode the same picture: one stays. */
static void offer(picture_cache *cache, int i, const picture *p) {
    const size_t bytes = 3 * (size_t)p->w * p->h;
    pthread_mutex_lock(&cache->lock);
    if (!cache->held[i].data && bytes <= cache->budget - cache->bytes) {
        cache->held[i] = *p;
        cache->bytes += bytes;
    }
    pthread_mutex_unlock(&cache->lock);
}

gdrq_status picture_cache_get(picture_cache *cache, int i, const char *path, picture *p,
                              gdrq_error *err) {
    *p = held_picture(cache, i);
    if (p->data)
        return GDRQ_OK;
    const gdrq_status status = picture_load(path, p, err);
    if (status == GDRQ_OK)
        offer(cache, i, p);
    return status;
}

void picture_cache_release(picture_cache *cache, int i, picture *p) {
    if (p->data && held_picture(cache, i).data != p->data)
        picture_free(p);
    *p = (picture){0};
}

void picture_cache_free(picture_cache *cache) {
    if (!cache)
        return;
    for (int i = 0; i < cache->n; i++)
        picture_free(&cache->held[i]);
    pthread_mutex_destroy(&cache->lock);
    free(cache->held);
    free(cache);
}
