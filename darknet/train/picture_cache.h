/*
 * Keeps decoded pictures in memory up to a budget: a small data set is decoded once. Pictures that
 * no longer fit are decoded at each use. Thread-safe.
 */
#ifndef DARKNET_TRAIN_PICTURE_CACHE_H
#define DARKNET_TRAIN_PICTURE_CACHE_H

#include "image/picture.h"

typedef struct picture_cache picture_cache;

/* For the pictures 0..n-1 and `budget` bytes; free with picture_cache_free(). */
gdrq_status picture_cache_make(int n, size_t budget, picture_cache **cache, gdrq_error *err);

/*
 * Picture i, read from `path` where it is not held. *p must go back with picture_cache_release()
 * and must not be changed.
 */
gdrq_status picture_cache_get(picture_cache *cache, int i, const char *path, picture *p,
                              gdrq_error *err);
void picture_cache_release(picture_cache *cache, int i, picture *p);

void picture_cache_free(picture_cache *cache);

#endif
