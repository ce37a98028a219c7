/*
 * Which tensors carry the same values: layers that only move values (keeps_values) join what they
 * read and what they write into one class, which therefore shares one activation quantiser.
 */
#ifndef GDRQ_HOST_TENSOR_UNION_H
#define GDRQ_HOST_TENSOR_UNION_H

#include "host/outline.h"

/*
 * An allocated array of n + 1 ints. Element i + 1 is the representative of the class that layer i's
 * output belongs to: the lowest layer index in it, or -1 for the class of the network's input.
 * Element 0 is the network's input itself, always -1. NULL when memory is out; free() it.
 */
int *gdrq_tensor_union(const gdrq_outline *outline);

#endif
