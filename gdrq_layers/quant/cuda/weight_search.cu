#include <stdint.h>

#include "base/cuda/launch.cuh"
#include "quant/cuda/groups.cuh"
#include "quant/cuda/search.cuh"

/* What the weights of a group, or of a block's part of it, are searched by. */
struct measure {
    unsigned long long print; /* quant/fingerprint.h's sum */
    gdrq_extremes extremes;
};

static __device__ measure measure_of(const float *group, size_t begin, size_t end) {
    measure m;
    m.print = 0;
    for (size_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
        m.print += (unsigned long long)(unsigned)__float_as_int(group[i]) * (2 * i + 1);
        m.extremes.add(group[i]);
    }
    m.print = gdrq_block_sum(m.print);
    m.extremes = m.extremes.of_block();
    return m;
}

static __device__ gdrq_grid_family family_of(const gdrq_cuda_search &how) {
    return {how.bits, GDRQ_RANGE_SIGNED, 0};
}

/* Whether the group is to be searched; its print then is the new one. All threads must call it. */
static __device__ bool has_changed(const gdrq_cuda_search &how, unsigned long long print) {
    print = print * 64 + (unsigned)(how.bits * 8 + how.norm);
    const bool changed = !how.reuses || how.prints[blockIdx.x] != print;
    __syncthreads();
    if (threadIdx.x == 0)
        how.prints[blockIdx.x] = print;
    return changed;
}

/*
 * Groups that are one block's, and all where thresholds are known. W: the array's bytes. Groups
 * that have a T: nothing. Those whose weights are as before: reads W. Others: 8 times, all but the
 * first from the cache, as long as the groups of all resident blocks, which are 2 per
 * multiprocessor, fit in there: all groups on an H200 (64 KiB a block, 256 KB of L1 for 2), 13,000
 * weights each on a T4 (80 blocks, 4 MB of L2).
 */
static __global__ void __launch_bounds__(GDRQ_THREADS, 2)
    search_groups(const float *weights, size_t group_size, gdrq_cuda_search how, float *found) {
    const float *w = weights + group_size * blockIdx.x;
    const float known = how.known ? how.known[blockIdx.x] : 0;
    if (known > 0) {
        if (threadIdx.x == 0)
            found[blockIdx.x] = known;
        return;
    }
    const measure m = measure_of(w, 0, group_size);
    if (!has_changed(how, m.print))
        return;
    const float threshold = gdrq_block_rounds(w, group_size, m.extremes, family_of(how), how.norm);
    if (threadIdx.x == 0)
        found[blockIdx.x] = threshold;
}

/*
 * ---- groups that are divided ----
 *
 * All kernels together read W 8 times, as above; all but the first from the cache where W fits in
 * there, a million weights on a T4, 12 million on an H200.
 */

/* What a block leaves of its part: at first the measure, then its sums of each round. */
struct part {
    measure of;
    double sums[GDRQ_SEARCH_HALVINGS];
};

/* The search of a group between its kernels; best 0: there is nothing to search. */
struct room {
    gdrq_search_state *states; /* of the groups */
    part *parts;               /* of the blocks */
};

static size_t states_bytes(int groups) {
    return (size_t)groups * sizeof(gdrq_search_state);
}

extern "C" size_t gdrq_cuda_search_room(int groups, size_t group_size) {
    const int parts = gdrq_group_parts(group_size);
    return parts == 1 ? 0 : states_bytes(groups) + (size_t)groups * parts * sizeof(part);
}

/* Reads W; writes 16 bytes a block. */
static __global__ void measure_parts(const float *weights, size_t group_size, room room) {
    const size_t group = group_size * blockIdx.x;
    const gdrq_group_span span = gdrq_block_span(group_size);
    const measure m = measure_of(weights + group, span.begin - group, span.end - group);
    if (threadIdx.x == 0)
        room.parts[gdrq_block_part()].of = m;
}

/* A block of one warp a group. Reads 16 bytes of each of its parts, 64 at most. */
static __global__ void begin_searches(int parts, gdrq_cuda_search how, room room, float *found) {
    gdrq_search_state *state = &room.states[blockIdx.x];
    if (threadIdx.x == 0)
        *state = {0, INFINITY};
    measure m;
    m.print = 0;
    for (int i = (int)threadIdx.x; i < parts; i += (int)blockDim.x) {
        const measure &of = room.parts[(size_t)blockIdx.x * parts + i].of;
        m.print += of.print;
        m.extremes.add(of.extremes.least);
        m.extremes.add(of.extremes.most);
    }
    if (!has_changed(how, gdrq_block_sum(m.print)))
        return;
    const float whole = gdrq_whole_range(m.extremes.of_block(), family_of(how));
    if (threadIdx.x > 0)
        return;
    state->best = whole;
    found[blockIdx.x] = whole;
}

/* Groups that are searched: reads W; writes 136 bytes a block in the first round, 16 in others. */
static __global__ void try_round(const float *weights, size_t group_size, int round,
                                 gdrq_cuda_search how, room room) {
    __shared__ gdrq_search_round r;
    const float best = room.states[blockIdx.x].best;
    if (best == 0)
        return;
    const gdrq_group_span span = gdrq_block_span(group_size);
    gdrq_make_candidates(best, round, family_of(how), &r);
    gdrq_try_candidates(weights, span.begin, span.end, round, how.norm, &r);
    if ((int)threadIdx.x < gdrq_candidates_of(round))
        room.parts[gdrq_block_part()].sums[threadIdx.x] = r.losses[threadIdx.x];
}

/* A block of one warp a group. Reads what each of its parts wrote, 64 at most. */
static __global__ void end_round(int parts, int round, gdrq_cuda_search how, room room,
                                 float *found) {
    __shared__ gdrq_search_round r;
    gdrq_search_state state = room.states[blockIdx.x];
    if (state.best == 0)
        return;
    gdrq_make_candidates(state.best, round, family_of(how), &r);
    const int k = (int)threadIdx.x;
    if (k < gdrq_candidates_of(round)) {
        r.losses[k] = 0;
        for (int i = 0; i < parts; ++i)
            r.losses[k] += room.parts[(size_t)blockIdx.x * parts + i].sums[k];
    }
    state = gdrq_choose(state, round, how.norm, &r);
    if (threadIdx.x > 0)
        return;
    room.states[blockIdx.x] = state;
    found[blockIdx.x] = state.best;
}

static gdrq_status search_divided(const gdrq_cuda_groups *of, const float *weights,
                                  const gdrq_cuda_search *how, float *found, gdrq_error *err) {
    const dim3 all = gdrq_groups_grid(of);
    const unsigned groups = (unsigned)of->groups;
    const int parts = gdrq_group_parts(of->group_size);
    const room in = {(gdrq_search_state *)how->room,
                     (part *)((char *)how->room + states_bytes(of->groups))};
    gdrq_status status =
        GDRQ_LAUNCH(err, all, GDRQ_THREADS, 0, measure_parts, weights, of->group_size, in);
    if (status == GDRQ_OK)
        status = GDRQ_LAUNCH(err, groups, GDRQ_WARP, 0, begin_searches, parts, *how, in, found);
    for (int round = 0; status == GDRQ_OK && round < GDRQ_SEARCH_ROUNDS; ++round) {
        status = GDRQ_LAUNCH(err, all, GDRQ_THREADS, 0, try_round, weights, of->group_size, round,
                             *how, in);
        if (status == GDRQ_OK)
            status =
                GDRQ_LAUNCH(err, groups, GDRQ_WARP, 0, end_round, parts, round, *how, in, found);
    }
    return status;
}

extern "C" gdrq_status gdrq_cuda_search_weights(const gdrq_cuda_groups *of, const float *weights,
                                                const gdrq_cuda_search *how, float *found,
                                                gdrq_error *err) {
    /* Where thresholds are known, to search is the exception: not worth 16 kernels. */
    if (gdrq_group_parts(of->group_size) > 1 && !how->known)
        return search_divided(of, weights, how, found, err);
    return GDRQ_LAUNCH(err, (unsigned)of->groups, GDRQ_THREADS, 0, search_groups, weights,
                       of->group_size, *how, found);
}
