#include "primitives/conv_primitive.h"

#include "base/alloc.h"
#include "base/status.h"
#include "primitives/conv_columns.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* A oneDNN primitive and the scratchpad that it wants. */
typedef struct step {
    dnnl_primitive_t primitive;
    dnnl_memory_t scratchpad; /* NULL if it needs none */
} step;

typedef struct operand {
    dnnl_memory_t plain; /* Darknet's layout, in the caller's memory */
    dnnl_memory_t inner; /* the convolution's layout, in the lent buffer; NULL if plain will do */
    step reorder;        /* plain to inner, or back for the operand that is written */
    size_t offset;       /* of inner in the buffer */
} operand;

struct gdrq_conv_primitive {
    gdrq_conv_shape shape;
    gdrq_conv_direction direction;
    operand operands[GDRQ_CONV_OPERANDS];
    step convolution;
    size_t scratchpad_offset; /* the steps run one after the other and share one scratchpad */
    size_t scratchpad_bytes;
    char *buffer; /* where the inner memories and scratchpads point now */
    bool columns; /* conv_columns.h computes it: there are no steps */
    int threads;  /* that columns are divided among */
};

/* What oneDNN calls the operands of each direction. */
static const struct {
    dnnl_query_t query;
    int argument;
} roles[][GDRQ_CONV_OPERANDS] = {
    [GDRQ_CONV_FORWARD] = {{dnnl_query_src_md, DNNL_ARG_SRC},
                           {dnnl_query_weights_md, DNNL_ARG_WEIGHTS},
                           {dnnl_query_dst_md, DNNL_ARG_DST}},
    [GDRQ_CONV_BACKWARD_DATA] = {{dnnl_query_diff_src_md, DNNL_ARG_DIFF_SRC},
                                 {dnnl_query_weights_md, DNNL_ARG_WEIGHTS},
                                 {dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST}},
    [GDRQ_CONV_BACKWARD_WEIGHTS] = {{dnnl_query_src_md, DNNL_ARG_SRC},
                                    {dnnl_query_diff_weights_md, DNNL_ARG_DIFF_WEIGHTS},
                                    {dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST}},
};

static const int written_operand[] = {
    [GDRQ_CONV_FORWARD] = GDRQ_CONV_RESULT,
    [GDRQ_CONV_BACKWARD_DATA] = GDRQ_CONV_DATA,
    [GDRQ_CONV_BACKWARD_WEIGHTS] = GDRQ_CONV_FILTERS,
};

static gdrq_status fail(gdrq_error *err, dnnl_status_t status, const gdrq_conv_shape *s,
                        const char *what) {
    const bool memory = status == dnnl_out_of_memory;
    return gdrq_fail(
        err, memory ? GDRQ_ERROR_MEMORY : GDRQ_ERROR_ARGUMENT,
        "convolution of %d x %d x %d x %d (batch, c, h, w) with n=%d size=%d stride=%d "
        "pad=%d groups=%d: %s: %s (oneDNN status %d)",
        s->batch, s->c, s->h, s->w, s->n, s->size, s->stride, s->pad, s->groups, what,
        memory ? "out of memory" : "this shape can't be computed", (int)status);
}

/* Tensor shapes of the operands; filters get a dimension of their own for groups. */
static dnnl_status_t describe(const gdrq_conv_shape *s,
                              dnnl_memory_desc_t plain[GDRQ_CONV_OPERANDS],
                              dnnl_memory_desc_t any[GDRQ_CONV_OPERANDS]) {
    const dnnl_dims_t data = {s->batch, s->c, s->h, s->w};
    const dnnl_dims_t filters = {s->n, s->c, s->size, s->size};
    const dnnl_dims_t grouped = {s->groups, s->n / s->groups, s->c / s->groups, s->size, s->size};
    const dnnl_dims_t result = {s->batch, s->n, gdrq_conv_out(s, s->h), gdrq_conv_out(s, s->w)};
    const bool groups = s->groups > 1;
    const dnnl_dim_t *dims[] = {data, groups ? grouped : filters, result};
    const int ndims[] = {4, groups ? 5 : 4, 4};
    const dnnl_format_tag_t tags[] = {dnnl_nchw, groups ? dnnl_goihw : dnnl_oihw, dnnl_nchw};
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < GDRQ_CONV_OPERANDS && status == dnnl_success; i++) {
        status = dnnl_memory_desc_init_by_tag(&plain[i], ndims[i], dims[i], dnnl_f32, tags[i]);
        if (status == dnnl_success)
            status = dnnl_memory_desc_init_by_tag(&any[i], ndims[i], dims[i], dnnl_f32,
                                                  dnnl_format_tag_any);
    }
    return status;
}

/*
 * Padding below and to the right. The host rounds the output's size down, so this is less than
 * `pad` where the last window does not reach the edge, and more where a window is larger than the
 * padded input.
 */
static dnnl_dim_t end_padding(const gdrq_conv_shape *s, int in) {
    return (dnnl_dim_t)(gdrq_conv_out(s, in) - 1) * s->stride + s->size - in - s->pad;
}

static dnnl_status_t create_convolution_pd(dnnl_engine_t engine, const_dnnl_primitive_attr_t attr,
                                           const gdrq_conv_shape *s, gdrq_conv_direction direction,
                                           const dnnl_memory_desc_t any[GDRQ_CONV_OPERANDS],
                                           dnnl_primitive_desc_t *pd) {
    const dnnl_memory_desc_t *x = &any[GDRQ_CONV_DATA], *w = &any[GDRQ_CONV_FILTERS],
                             *y = &any[GDRQ_CONV_RESULT];
    const dnnl_dims_t strides = {s->stride, s->stride};
    const dnnl_dims_t begin = {s->pad, s->pad};
    const dnnl_dims_t end = {end_padding(s, s->h), end_padding(s, s->w)};
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_convolution_desc_t forward, desc;
    dnnl_primitive_desc_t hint = NULL;

    dnnl_status_t status = dnnl_convolution_forward_desc_init(
        &forward, dnnl_forward_training, direct, x, w, NULL, y, strides, begin, end);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&hint, &forward, attr, engine, NULL);
    if (status != dnnl_success)
        return status;
    if (direction == GDRQ_CONV_FORWARD) {
        *pd = hint;
        return dnnl_success;
    }
    if (direction == GDRQ_CONV_BACKWARD_DATA)
        status =
            dnnl_convolution_backward_data_desc_init(&desc, direct, x, w, y, strides, begin, end);
    else
        status = dnnl_convolution_backward_weights_desc_init(&desc, direct, x, w, NULL, y, strides,
                                                             begin, end);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(pd, &desc, attr, engine, hint);
    dnnl_primitive_desc_destroy(hint);
    return status;
}

/* Creates the primitive of pd, and a memory for its scratchpad without an address yet. */
static dnnl_status_t create_step(gdrq_conv_primitive *p, dnnl_engine_t engine,
                                 const_dnnl_primitive_desc_t pd, step *made) {
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    const size_t bytes = dnnl_memory_desc_get_size(md);
    dnnl_status_t status = dnnl_primitive_create(&made->primitive, pd);
    if (status == dnnl_success && bytes > 0)
        status = dnnl_memory_create(&made->scratchpad, md, engine, DNNL_MEMORY_NONE);
    if (bytes > p->scratchpad_bytes)
        p->scratchpad_bytes = bytes;
    return status;
}

static size_t round_up(size_t bytes) {
    return (bytes + GDRQ_CONV_ALIGNMENT - 1) / GDRQ_CONV_ALIGNMENT * GDRQ_CONV_ALIGNMENT;
}

static dnnl_status_t create_operand(gdrq_conv_primitive *p, dnnl_engine_t engine,
                                    const_dnnl_primitive_attr_t attr, int i,
                                    const dnnl_memory_desc_t *plain,
                                    const dnnl_memory_desc_t *inner) {
    operand *o = &p->operands[i];
    dnnl_status_t status = dnnl_memory_create(&o->plain, plain, engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success || dnnl_memory_desc_equal(plain, inner))
        return status;
    status = dnnl_memory_create(&o->inner, inner, engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success)
        return status;
    o->offset = p->scratchpad_offset;
    p->scratchpad_offset += round_up(dnnl_memory_desc_get_size(inner));

    const bool written = i == written_operand[p->direction];
    dnnl_primitive_desc_t pd;
    status = dnnl_reorder_primitive_desc_create(&pd, written ? inner : plain, engine,
                                                written ? plain : inner, engine, attr);
    if (status == dnnl_success) {
        status = create_step(p, engine, pd, &o->reorder);
        dnnl_primitive_desc_destroy(pd);
    }
    return status;
}

/*
 * Whether oneDNN's result would depend on the number of threads. Gradients of the filters do so
 * anyway: they are sums over images and pixels that every implementation divides among threads.
 */
static bool depends_on_threads(gdrq_conv_direction direction, const_dnnl_primitive_desc_t pd) {
    const char *implementation = "";
    if (direction == GDRQ_CONV_BACKWARD_WEIGHTS)
        return false;
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &implementation);
    return strstr(implementation, "gemm") != NULL;
}

/* One buffer of columns per thread is all that is needed. */
static void use_columns(gdrq_conv_primitive *p) {
    p->columns = true;
    p->threads = omp_get_max_threads();
    const size_t floats = p->direction == GDRQ_CONV_FORWARD
                              ? gdrq_conv_columns_forward_floats(&p->shape)
                              : gdrq_conv_columns_backward_data_floats(&p->shape);
    p->scratchpad_bytes = floats * sizeof(float) * (size_t)p->threads;
}

static dnnl_status_t create_operands(gdrq_conv_primitive *p, dnnl_engine_t engine,
                                     const_dnnl_primitive_attr_t attr,
                                     const_dnnl_primitive_desc_t pd,
                                     const dnnl_memory_desc_t plain[GDRQ_CONV_OPERANDS]) {
    dnnl_status_t status = create_step(p, engine, pd, &p->convolution);
    for (int i = 0; i < GDRQ_CONV_OPERANDS && status == dnnl_success; i++) {
        const dnnl_memory_desc_t *inner =
            dnnl_primitive_desc_query_md(pd, roles[p->direction][i].query, 0);
        status = create_operand(p, engine, attr, i, &plain[i], inner);
    }
    return status;
}

static dnnl_status_t create_steps(gdrq_conv_primitive *p, dnnl_engine_t engine,
                                  const_dnnl_primitive_attr_t attr) {
    dnnl_memory_desc_t plain[GDRQ_CONV_OPERANDS], any[GDRQ_CONV_OPERANDS];
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = describe(&p->shape, plain, any);
    if (status == dnnl_success)
        status = create_convolution_pd(engine, attr, &p->shape, p->direction, any, &pd);
    if (status == dnnl_success && depends_on_threads(p->direction, pd))
        use_columns(p);
    else if (status == dnnl_success)
        status = create_operands(p, engine, attr, pd, plain);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return status;
}

/* Scratchpads are ours, and an environment variable can't lower the precision. */
static dnnl_status_t create_attributes(dnnl_primitive_attr_t *attr) {
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict);
    return status;
}

gdrq_status gdrq_conv_primitive_create(dnnl_engine_t engine, const gdrq_conv_shape *shape,
                                       gdrq_conv_direction direction,
                                       gdrq_conv_primitive **primitive, gdrq_error *err) {
    gdrq_conv_primitive *p = gdrq_alloc(1, sizeof *p);
    if (!p)
        return fail(err, dnnl_out_of_memory, shape, "can't prepare it");
    p->shape = *shape;
    p->direction = direction;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = create_attributes(&attr);
    if (status == dnnl_success)
        status = create_steps(p, engine, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (status != dnnl_success) {
        gdrq_conv_primitive_free(p);
        return fail(err, status, shape, "can't prepare it");
    }
    *primitive = p;
    return GDRQ_OK;
}

size_t gdrq_conv_primitive_bytes(const gdrq_conv_primitive *p) {
    return p->scratchpad_offset + p->scratchpad_bytes;
}

static dnnl_status_t point_scratchpad(const gdrq_conv_primitive *p, const step *s, char *buffer) {
    if (!s->scratchpad)
        return dnnl_success;
    return dnnl_memory_set_data_handle(s->scratchpad, buffer + p->scratchpad_offset);
}

/* Setting an address makes oneDNN clear a tensor's padding, so it is done only when it changes. */
static dnnl_status_t point_into(gdrq_conv_primitive *p, char *buffer) {
    if (p->buffer == buffer)
        return dnnl_success;
    dnnl_status_t status = point_scratchpad(p, &p->convolution, buffer);
    for (int i = 0; i < GDRQ_CONV_OPERANDS && status == dnnl_success; i++) {
        operand *o = &p->operands[i];
        if (o->inner)
            status = dnnl_memory_set_data_handle(o->inner, buffer + o->offset);
        if (status == dnnl_success)
            status = point_scratchpad(p, &o->reorder, buffer);
    }
    p->buffer = status == dnnl_success ? buffer : NULL;
    return status;
}

static dnnl_status_t run(const step *s, dnnl_stream_t stream, dnnl_exec_arg_t *args, int n) {
    if (s->scratchpad)
        args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, s->scratchpad};
    return dnnl_primitive_execute(s->primitive, stream, n, args);
}

static dnnl_status_t run_reorder(const operand *o, dnnl_stream_t stream, bool to_plain) {
    if (!o->inner)
        return dnnl_success;
    dnnl_exec_arg_t args[3] = {{DNNL_ARG_FROM, to_plain ? o->inner : o->plain},
                               {DNNL_ARG_TO, to_plain ? o->plain : o->inner}};
    return run(&o->reorder, stream, args, 2);
}

static dnnl_status_t run_all(const gdrq_conv_primitive *p, dnnl_stream_t stream) {
    const int written = written_operand[p->direction];
    dnnl_exec_arg_t args[GDRQ_CONV_OPERANDS + 1];
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < GDRQ_CONV_OPERANDS && status == dnnl_success; i++) {
        const operand *o = &p->operands[i];
        args[i] =
            (dnnl_exec_arg_t){roles[p->direction][i].argument, o->inner ? o->inner : o->plain};
        if (i != written)
            status = run_reorder(o, stream, false);
    }
    if (status == dnnl_success)
        status = run(&p->convolution, stream, args, GDRQ_CONV_OPERANDS);
    if (status == dnnl_success)
        status = run_reorder(&p->operands[written], stream, true);
    const dnnl_status_t waited = dnnl_stream_wait(stream);
    return status == dnnl_success ? waited : status;
}

static gdrq_status run_columns(const gdrq_conv_primitive *p, float *const plain[GDRQ_CONV_OPERANDS],
                               char *buffer, gdrq_error *err) {
    float *const x = plain[GDRQ_CONV_DATA], *const w = plain[GDRQ_CONV_FILTERS];
    float *const y = plain[GDRQ_CONV_RESULT], *const columns = (void *)buffer;
    const gdrq_status status =
        p->direction == GDRQ_CONV_FORWARD
            ? gdrq_conv_columns_forward(&p->shape, x, w, y, columns, p->threads)
            : gdrq_conv_columns_backward_data(&p->shape, w, y, x, columns, p->threads);
    return status == GDRQ_OK ? GDRQ_OK : fail(err, dnnl_out_of_memory, &p->shape, "can't run it");
}

gdrq_status gdrq_conv_primitive_execute(gdrq_conv_primitive *p, dnnl_stream_t stream,
                                        float *const plain[GDRQ_CONV_OPERANDS], char *buffer,
                                        gdrq_error *err) {
    if (p->columns)
        return run_columns(p, plain, buffer, err);
    dnnl_status_t status = point_into(p, buffer);
    for (int i = 0; i < GDRQ_CONV_OPERANDS && status == dnnl_success; i++)
        status = dnnl_memory_set_data_handle(p->operands[i].plain, plain[i]);
    if (status == dnnl_success)
        status = run_all(p, stream);
    return status == dnnl_success ? GDRQ_OK : fail(err, status, &p->shape, "can't run it");
}

static void free_step(step *s) {
    if (s->primitive)
        dnnl_primitive_destroy(s->primitive);
    if (s->scratchpad)
        dnnl_memory_destroy(s->scratchpad);
}

void gdrq_conv_primitive_free(gdrq_conv_primitive *p) {
    if (!p)
        return;
    free_step(&p->convolution);
    for (int i = 0; i < GDRQ_CONV_OPERANDS; i++) {
        operand *o = &p->operands[i];
        free_step(&o->reorder);
        if (o->inner)
            dnnl_memory_destroy(o->inner);
        if (o->plain)
            dnnl_memory_destroy(o->plain);
    }
    free(p);
}
