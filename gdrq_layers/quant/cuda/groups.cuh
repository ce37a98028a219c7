/* How passes over groups are divided: a group is one block's, or, where it is large, divided among
   several in y, so that one group alone keeps many multiprocessors busy, too. */
#ifndef GDRQ_QUANT_CUDA_GROUPS_CUH
#define GDRQ_QUANT_CUDA_GROUPS_CUH

#include <cuda_runtime.h>

#include "quant/cuda/weights.h"

enum { GDRQ_GROUP_PART = 16384, GDRQ_MOST_GROUP_PARTS = 64 };

static inline int gdrq_group_parts(size_t group_size) {
    const size_t parts = (group_size + GDRQ_GROUP_PART - 1) / GDRQ_GROUP_PART;
    return parts > GDRQ_MOST_GROUP_PARTS ? GDRQ_MOST_GROUP_PARTS : parts < 1 ? 1 : (int)parts;
}

static inline dim3 gdrq_groups_grid(const gdrq_cuda_groups *of) {
    return dim3((unsigned)of->groups, (unsigned)gdrq_group_parts(of->group_size));
}

/* What the block has of its group: elements of the array, begin <= i < end. */
struct gdrq_group_span {
    size_t begin, end;
};

static __device__ __forceinline__ gdrq_group_span gdrq_block_span(size_t group_size) {
    const size_t group = group_size * blockIdx.x;
    return {group + group_size * blockIdx.y / gridDim.y,
            group + group_size * (blockIdx.y + 1) / gridDim.y};
}

/* Where the block's own sum stands; those of a group are next to each other. */
static __device__ __forceinline__ size_t gdrq_block_part() {
    return (size_t)blockIdx.x * gridDim.y + blockIdx.y;
}

#endif
