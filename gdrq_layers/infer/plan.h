/*
 * How a folded network runs: in which formats every tensor exists, what computes it, and where it
 * lies. Pure: it knows of layers only what is in gdrq_node.
 *
 * A tensor is the output of a layer, or the network's input (-1). It has codes if an integer layer
 * reads it, itself or through layers that only move values; interleaved values (floats in NHWC) if
 * a shortcut does that runs here; and values (floats in NCHW, elsewhere) if anything else does.
 * Codes and interleaved values live in one arena that tensors share whose lives don't overlap.
 *
 * A shortcut that alone reads the convolution before it is done with that one's sums, in the place
 * of what it adds if nothing reads that any more. So is a maxpool of 2x2 outputs with stride 2;
 * what it reads is then nowhere in memory. Codes that a route concatenates are written into its
 * own, and read there by others.
 */
#ifndef GDRQ_INFER_PLAN_H
#define GDRQ_INFER_PLAN_H

#include "gdrq.h"
#include "infer/conv_kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gdrq_node_kind {
    GDRQ_NODE_FLOAT, /* values in, values out: not computed here */
    GDRQ_NODE_CONV,  /* codes in; whatever is wanted out; also a connected layer */
    /* Interleaved values in, whatever is wanted out; a FLOAT if its inputs have no such values or
       the second one is not of a shape that gdrq_int_shortcut_fits(). */
    GDRQ_NODE_SHORTCUT,
    /* These move values: codes in, codes out; values in, values out are not computed here,
       but for interleaved ones through MAXPOOL and SAME. */
    GDRQ_NODE_MAXPOOL,
    GDRQ_NODE_UPSAMPLE,
    GDRQ_NODE_ROUTE,
    GDRQ_NODE_REORG,
    GDRQ_NODE_CROP,
    GDRQ_NODE_SAME, /* the input itself: dropout */
} gdrq_node_kind;

typedef struct gdrq_node {
    gdrq_node_kind kind;
    const int *reads; /* tensors */
    int n_reads;
    gdrq_tensor_shape in, out; /* in: of the first read */
    bool flat; /* CONV: a connected layer, whose `in` is the first read as one pixel: 1 x 1 x inputs
                */
    int size, stride, pad, groups;
    bool reverse;
    bool rises;                 /* CONV: no activation of GDRQ_INT_OTHER */
    int input_class;            /* CONV: of the codes that it reads */
    gdrq_conv_limits limits;    /* CONV */
    gdrq_int_shortcut shortcut; /* SHORTCUT, but for `other` and the shapes */
    bool result;                /* its values are wanted, whoever reads it */
} gdrq_node;

typedef struct gdrq_plan gdrq_plan;

/* nodes[0..n) in the order in which they run; copied, but for what `reads` points to. */
gdrq_status gdrq_plan_make(const gdrq_node *nodes, int n, gdrq_tensor_shape input, gdrq_plan **plan,
                           gdrq_error *err);

/* Whether a CONV node can give `pooled` codes (gdrq_int_output). */
typedef bool gdrq_pools(const gdrq_node *node);

/* The same for another device: only formats, fused shortcuts and maxpools, and places in an arena,
   routes having one of their own; the functions below that run nodes or reserve memory for them are
   not for it. */
gdrq_status gdrq_plan_make_elsewhere(const gdrq_node *nodes, int n, gdrq_tensor_shape input,
                                     gdrq_pools *pools, gdrq_plan **plan, gdrq_error *err);

void gdrq_plan_free(gdrq_plan *plan);

/* What a tensor, -1..n-1, has in memory. */
bool gdrq_plan_has_codes(const gdrq_plan *plan, int tensor);
bool gdrq_plan_has_values(const gdrq_plan *plan, int tensor);
bool gdrq_plan_is_interleaved(const gdrq_plan *plan, int tensor);

/* The class of its codes, in memory or not; -1: nothing reads it as codes. */
int gdrq_plan_class(const gdrq_plan *plan, int tensor);

/* Whether running node i computes the values of its tensor, if it has any. */
bool gdrq_plan_computes_values(const gdrq_plan *plan, int i);

/* Node i, and the tensor that is written as it runs: that of the shortcut or maxpool that it does
   as well, or its own; -1: none, as another node has done it. */
const gdrq_node *gdrq_plan_node(const gdrq_plan *plan, int i);
int gdrq_plan_written(const gdrq_plan *plan, int i);

/* Bytes of one image's arena, and where a tensor's codes or interleaved values begin there. */
size_t gdrq_plan_arena_bytes(const gdrq_plan *plan);
size_t gdrq_plan_codes_at(const gdrq_plan *plan, int tensor);
size_t gdrq_plan_interleaved_at(const gdrq_plan *plan, int tensor);

/* What runs node i: a kernel's name, "elsewhere", "fused", "in place", "interleaved", "codes" or
   "float". */
const char *gdrq_plan_way(const gdrq_plan *plan, int i);

/* Bytes of the arena and of scratch memory for one image. */
size_t gdrq_plan_bytes(const gdrq_plan *plan);

/* Makes room for `batch` images and for as many threads as OpenMP has now; keeps more if there was
   more. To be called before the nodes run, whenever either may have changed. */
gdrq_status gdrq_plan_reserve(gdrq_plan *plan, int batch, gdrq_error *err);

/* Where image b's codes, or interleaved values, of a tensor are, which has them. NHWC; codes are so
   many from pixel to pixel, the network's input without a gap. */
uint8_t *gdrq_plan_codes(const gdrq_plan *plan, int tensor, int b);
size_t gdrq_plan_pixel(const gdrq_plan *plan, int tensor);
float *gdrq_plan_interleaved(const gdrq_plan *plan, int tensor, int b);

/* A convolution's numbers; a connected layer is one of size 1 on a 1 x 1 image. */
typedef struct gdrq_node_weights {
    int8_t *codes;          /* [filters][size][size][channels / groups]; NULL where packed */
    int32_t *sums;          /* filters: of each one's codes */
    gdrq_epilogue epilogue; /* without grid */
    void *packed; /* codes and sums in the order of the node's kernel; NULL: it has none */
} gdrq_node_weights;

/* Makes room for so many filters, bias behind scale; on failure *weights is empty. */
gdrq_status gdrq_node_weights_make(gdrq_node_weights *weights, int filters, size_t filter_size,
                                   gdrq_error *err);
void gdrq_node_weights_free(gdrq_node_weights *weights);

/* Packs codes and sums for the kernel of a CONV node, which then needs no codes. `zero` is the
   stored code of 0 in its input, of which packed weights may have a part. */
gdrq_status gdrq_node_weights_pack(gdrq_node_weights *weights, const gdrq_node *node, int zero,
                                   gdrq_error *err);

/* What computes a CONV node. */
const gdrq_conv_kernel *gdrq_node_kernel(const gdrq_node *node);
/* What it was when the plan was made. */
const gdrq_conv_kernel *gdrq_plan_kernel(const gdrq_plan *plan, int i);

/* The convolution of a CONV node; weights may be NULL where its geometry alone matters. `zero` is
   the stored code of 0 in its input. */
gdrq_int_conv gdrq_node_conv(const gdrq_node *node, const gdrq_node_weights *weights, int zero);

/* The same of node i, as far apart as its input's pixels lie in the plan. */
gdrq_int_conv gdrq_plan_conv(const gdrq_plan *plan, int i, const gdrq_node_weights *weights,
                             int zero);

/* The geometry of a MAXPOOL node. */
gdrq_int_pool gdrq_node_pool(const gdrq_node *node);

/*
 * Computes what node i's tensor has of codes and interleaved values for image b, and its values, if
 * gdrq_plan_computes_values(), to `values` (out.c * out.h * out.w floats, NCHW; NULL if it has
 * none). What a FLOAT node computed is in `values`: what it has of other forms is made of them.
 * grids[k] is that of class k.
 */
void gdrq_plan_run(gdrq_plan *plan, int i, int b, const gdrq_node_weights *weights,
                   const gdrq_grid *grids, float *values);

#ifdef __cplusplus
}
#endif

#endif
