/* Weights in the order of the kernels, on the host. */
#include <string.h>

#include "infer/cuda/problem.cuh"

namespace gdrq_conv {

/* Whether sums of 16 times the products are sure to fit into 32 bits. */
static bool is_narrow(const packing &order, int area, const gdrq_conv_limits *limits) {
    const int64_t sum = (int64_t)16 * limits->code * limits->weight * area * order.channels;
    return limits->weight <= 7 && sum <= INT32_MAX;
}

packing packing_of(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    packing order = {};
    const int area = conv->size * conv->size;
    order.channels = conv->in.c / conv->groups;
    order.filters = conv->out.c / conv->groups;
    order.words = ratio_up(order.channels, 4);
    order.steps = ratio_up(area * order.words, STEP_WORDS);
    order.tiles = ratio_up(order.filters, TILE * TILES) * TILES;
    order.narrow = is_narrow(order, area, limits);
    const size_t fragments = (size_t)conv->groups * order.tiles * order.steps * LANES;
    order.bytes = fragments * sizeof(unsigned) * (order.narrow ? 1 : 2);
    return order;
}

size_t packed_size(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    return packing_of(conv, limits).bytes + (size_t)conv->out.c * sizeof(int32_t);
}

/* Product `word`, byte of a position of a filter of a group. */
static void put_weight(const packing &order, int tile, int filter, int word, int byte, int8_t code,
                       uint8_t *packed) {
    const int step = word / STEP_WORDS, member = word % 4, half = word / 4 % 2;
    const size_t at = ((size_t)tile * order.steps + step) * LANES + filter * 4 + member;
    if (order.narrow)
        packed[at * 4 + byte] |= (uint8_t)((code & 0xf) << 4 * half);
    else
        packed[at * 8 + 4 * half + byte] = (uint8_t)code;
}

static void pack_filter(const gdrq_int_conv *conv, const packing &order, int filter,
                        uint8_t *packed) {
    const int group = filter / order.filters, own = filter % order.filters;
    const int tile = group * order.tiles + own / TILE, area = conv->size * conv->size;
    const int8_t *code = conv->weights + (size_t)filter * area * order.channels;
    for (int position = 0; position < area; ++position)
        for (int c = 0; c < order.channels; ++c)
            put_weight(order, tile, own % TILE, position * order.words + c / 4, c % 4, *code++,
                       packed);
}

void pack(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, void *packed) {
    const packing order = packing_of(conv, limits);
    memset(packed, 0, order.bytes);
    for (int f = 0; f < conv->out.c; ++f)
        pack_filter(conv, order, f, (uint8_t *)packed);
    memcpy((uint8_t *)packed + order.bytes, conv->sum, (size_t)conv->out.c * sizeof(int32_t));
}

problem problem_of(const gdrq_cuda_conv_run *run) {
    problem p = {};
    p.conv = *run->conv;
    p.order = packing_of(run->conv, run->limits);
    p.weights = (const unsigned *)run->packed;
    p.sums = (const int *)((const uint8_t *)run->packed + p.order.bytes);
    p.in = run->in;
    p.pixels = run->conv->out.w * run->conv->out.h;
    if (run->out->pooled) {
        p.pooled_w = ratio_up(run->conv->out.w, 2);
        p.pixels = 4 * p.pooled_w * ratio_up(run->conv->out.h, 2);
    }
    p.finish = gdrq_finish_of(run->epilogue, run->conv->out, run->out);
    return p;
}

bool fits_all(const gdrq_int_conv *, const gdrq_conv_limits *) {
    return true;
}

int load_bytes(const gdrq_int_conv *conv) {
    const int channels = conv->in.c / conv->groups;
    return channels % 16 == 0 ? 16 : channels % 4 == 0 ? 4 : 1;
}

} // namespace gdrq_conv
