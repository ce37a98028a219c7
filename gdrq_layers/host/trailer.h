/*
 * The trailer behind the last layer of a .weights file of a network with quantised layers. Stock
 * Darknet and OpenCV stop reading before it. Little-endian:
 *
 *   bytes  field
 *   8      magic "GDRQWTS1" if all thresholds are k*mean|x|, else "GDRQWTS2"
 *   8      iteration: updates since the start of the training, int64
 *   4      number of thresholds n, uint32, at most 65536
 *   n x    { tensor int32, k float32, threshold float32, moves uint64 }, and in GDRQWTS2 behind
 *          each { bits uint32, how uint32 }: of the tensor, and 0 = scale, 1 = search, 2 = learned;
 *          what calibration counted is never 0
 *   only in GDRQWTS2:
 *   4      number of layers m with learned weight thresholds, uint32, at most 65536
 *   m x    { layer int32, weight_bits uint32, groups uint32, groups x threshold float32 }
 *   in both:
 *   8      FNV-1a hash (64 bits) of everything before it in the file, header and weights included
 *
 * tensor is the index of the first layer whose output the threshold clips; -1: the network's input.
 * That of pixels, which is fixed, has moves 1 once all others have moved.
 * A threshold that is k*mean|x| is proportional to k: a cfg with another k (or other bits, which k
 * follows) needs no new calibration. Others hold for the same bits alone, and are unset with other
 * ones. Learned weight thresholds count for a layer of the same bits and groups that learns them.
 */
#ifndef GDRQ_HOST_TRAILER_H
#define GDRQ_HOST_TRAILER_H

#include <stddef.h>
#include <stdint.h>

#include "gdrq.h"
#include "host/network_state.h"

/* Bytes of the trailer without its closing hash. */
size_t gdrq_trailer_size(const gdrq_network_state *state);

/* Writes gdrq_trailer_size() bytes to out. Thresholds that were never set are written as moves 0.
 */
void gdrq_trailer_encode(const gdrq_network_state *state, unsigned char *out);

/*
 * Checks a trailer of n bytes, closing hash included, that follows `body` bytes at `file`. Changes
 * nothing.
 */
gdrq_status gdrq_trailer_check(const char *path, const unsigned char *file, size_t body, size_t n,
                               gdrq_error *err);

/* Whether a checked trailer has thresholds of activations that were ever set. */
bool gdrq_trailer_has_thresholds(const unsigned char *trailer);

/*
 * Takes over iteration and thresholds from a checked trailer of n bytes; returns how many
 * thresholds of activations.
 */
int gdrq_trailer_apply(const unsigned char *trailer, size_t n, gdrq_network_state *state);

#endif
