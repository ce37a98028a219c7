/* A checksum against damaged files; no protection against forged ones. */
#ifndef GDRQ_BASE_HASH_H
#define GDRQ_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a over n more bytes (http://www.isthe.com/chongo/tech/comp/fnv); start with GDRQ_HASH. */
#define GDRQ_HASH UINT64_C(0xcbf29ce484222325)
uint64_t gdrq_hash(uint64_t hash, const void *bytes, size_t n);

#endif
