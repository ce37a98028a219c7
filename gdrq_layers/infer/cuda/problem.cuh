/*
 * A convolution as kernels see it: a matrix product of windows, a row each, and filters. Products
 * go in words of four: those of a window's position, row by row, whose channels are filled up with
 * zero weights to a multiple of four. Eight words are a step.
 *
 * Weights are packed in fragments as the tensor cores' product takes them (mma.cuh): of a tile,
 * which is eight filters, and a step, lane 4*filter + member has words member and member + 4. These
 * are two words or, for weights of at most 4 bits, one: the low half of each byte belongs to the
 * first of both, the high half to the second. Unpacked, they are in the high half of bytes: 16
 * times what they are worth, which a shift of the sum puts right. Filters are filled up to TILES
 * tiles in each group.
 *
 * Where a 2x2 maxpool follows, rows are in the order of its windows, four by four, so that a thread
 * or neighbouring ones have all that a window needs. What a window at the edge lacks is a pixel
 * that it has, once more.
 */
#ifndef GDRQ_INFER_CUDA_PROBLEM_CUH
#define GDRQ_INFER_CUDA_PROBLEM_CUH

#include "infer/cuda/conv.h"
#include "infer/cuda/finish.cuh"

namespace gdrq_conv {

enum {
    STEP_WORDS = 8,
    TILE = 8, /* filters */
    TILES = 4,
    LANES = 32,
};

/* The order of packed weights. */
struct packing {
    int channels, filters; /* of a group */
    int words;             /* of a window's position */
    int steps, tiles;      /* tiles of a group */
    bool narrow;           /* weights have 4 bits */
    size_t bytes;          /* of weights; behind them lie the int32 sums of all filters */
};

packing packing_of(const gdrq_int_conv *conv, const gdrq_conv_limits *limits);
size_t packed_size(const gdrq_int_conv *conv, const gdrq_conv_limits *limits);
void pack(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, void *packed);

struct problem {
    gdrq_int_conv conv;
    packing order;
    const unsigned *weights;
    const int *sums;
    const uint8_t *in;
    int pixels;   /* rows: of the output, or four for each of the pooled ones */
    int pooled_w; /* 0: nothing is pooled */
    gdrq_finish finish;
};

problem problem_of(const gdrq_cuda_conv_run *run);

/* The bytes of one load of codes: 16, 4 or 1, as the channels of all and of a group divide. */
int load_bytes(const gdrq_int_conv *conv);

/* For kernels that compute any convolution. */
bool fits_all(const gdrq_int_conv *conv, const gdrq_conv_limits *limits);

static inline int ratio_up(int n, int unit) {
    return (n + unit - 1) / unit;
}

/* The blocks that compute so many pixels of so many filters of a group each. */
static inline dim3 tiles_of(const problem &p, int pixels, int filters) {
    return dim3((unsigned)ratio_up(p.pixels, pixels),
                (unsigned)(p.conv.groups * ratio_up(p.order.filters, filters)));
}

/* Both words of a lane, times 16 if they are narrow. */
template <bool NARROW> struct fragment {
    unsigned packed[NARROW ? 1 : 2];

    __device__ __forceinline__ void load(const problem &p, int tile, int step, int lane) {
        const size_t at = ((size_t)tile * p.order.steps + step) * LANES + lane;
        if (NARROW) {
            packed[0] = p.weights[at];
        } else {
            const uint64_t both = ((const uint64_t *)p.weights)[at];
            packed[0] = (unsigned)both;
            packed[NARROW ? 0 : 1] = (unsigned)(both >> 32);
        }
    }
    __device__ __forceinline__ void unpack(unsigned words[2]) const {
        words[0] = NARROW ? packed[0] << 4 & 0xf0f0f0f0u : packed[0];
        words[1] = NARROW ? packed[0] & 0xf0f0f0f0u : packed[NARROW ? 0 : 1];
    }
};

/* n neighbouring filters' sums of products of stored codes to what the epilogue takes. */
template <bool NARROW>
static __device__ __forceinline__ void sums_of_products(const problem &p, int filter, int n,
                                                        const int products[4], int sums[4]) {
    GDRQ_UNROLLED (i, 4)
        sums[i] = i < n
                      ? (NARROW ? products[i] >> 4 : products[i]) - p.conv.zero * p.sums[filter + i]
                      : 0;
}

/* And to results. */
template <bool NARROW>
static __device__ __forceinline__ void finish_products(const problem &p, int pixel, int filter,
                                                       int n, const int products[4]) {
    int sums[4];
    sums_of_products<NARROW>(p, filter, n, products, sums);
    gdrq_finish_quad(p.finish, pixel, filter, n, sums);
}

/* The codes of a pixel that is to be pooled, for gdrq_larger_codes(). */
template <bool NARROW>
static __device__ __forceinline__ unsigned codes_of_products(const problem &p, int filter, int n,
                                                             const int products[4]) {
    int sums[4];
    float y[4];
    sums_of_products<NARROW>(p, filter, n, products, sums);
    gdrq_values_of_quad(p.finish, filter, n, sums, y);
    return gdrq_encode_quad(p.finish.grid, y);
}

/* The pooled codes of n filters of pixels `first` to first + 3. */
static __device__ __forceinline__ void put_pooled(const problem &p, int first, int filter, int n,
                                                  unsigned codes) {
    gdrq_store_codes(p.finish.out.pooled, (size_t)(first / 4) * p.finish.shape.c + filter, n,
                     codes);
}

/* The window of an output pixel: where it begins in the input, which may lie outside. */
struct window {
    int x, y;
};

static __device__ __forceinline__ window window_of(const problem &p, int pixel) {
    int x = pixel % p.conv.out.w, y = pixel / p.conv.out.w;
    if (p.pooled_w > 0) {
        x = min(pixel / 4 % p.pooled_w * 2 + pixel % 2, p.conv.out.w - 1);
        y = min(pixel / 4 / p.pooled_w * 2 + pixel / 2 % 2, p.conv.out.h - 1);
    }
    return {x * p.conv.stride - p.conv.pad, y * p.conv.stride - p.conv.pad};
}

/* Where a word lies in a window: beyond the last one, row is the window's size or more. */
struct cursor {
    int word, column, row;

    __device__ __forceinline__ void advance(const problem &p, int words) {
        word += words;
        while (word >= p.order.words) {
            word -= p.order.words;
            if (++column == p.conv.size) {
                column = 0;
                ++row;
            }
        }
    }
};

/* The first byte of a word of codes, or NULL if it lies outside of the image. */
static __device__ __forceinline__ const uint8_t *locate(const problem &p, window w, cursor c,
                                                        int group) {
    const int x = w.x + c.column, y = w.y + c.row;
    if (x < 0 || x >= p.conv.in.w || y < 0 || y >= p.conv.in.h)
        return nullptr;
    return p.in + ((size_t)y * p.conv.in.w + x) * p.conv.in.c + group * p.order.channels +
           4 * c.word;
}

/* A word of codes, loaded in parts of BYTES; what the window has not is any code. */
template <int BYTES>
static __device__ __forceinline__ unsigned load_word(const problem &p, window w, cursor c,
                                                     int group) {
    if (c.row >= p.conv.size)
        return 0;
    const uint8_t *from = locate(p, w, c, group);
    if (!from)
        return (unsigned)p.conv.zero * 0x01010101u;
    if (BYTES >= 4)
        return *(const unsigned *)from;
    unsigned word = 0;
    GDRQ_UNROLLED (i, 4)
        if (4 * c.word + i < p.order.channels)
            word |= (unsigned)from[i] << 8 * i;
    return word;
}

/* Four words from the cursor on; in one load if BYTES is 16, when they are of one position. */
template <int BYTES>
static __device__ __forceinline__ gdrq_words load_words(const problem &p, window w, cursor c,
                                                        int group) {
    gdrq_words words;
    if (BYTES == 16) {
        const uint8_t *from = c.row < p.conv.size ? locate(p, w, c, group) : nullptr;
        if (from)
            return *(const gdrq_words *)from;
        for (unsigned &word : words.at)
            word = (unsigned)p.conv.zero * 0x01010101u;
    } else {
        for (unsigned &word : words.at) {
            word = load_word<BYTES>(p, w, c, group);
            c.advance(p, 1);
        }
    }
    return words;
}

} // namespace gdrq_conv

#endif
