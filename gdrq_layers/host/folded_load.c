/* A folded network's file into the network (gdrq_folded_load()). */
#include "host/folded_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/weight_spans.h"
#include "quant/pack.h"
#ifdef GPU
#include "host/cuda/folded_gpu.h"
#include "host/cuda/gpu_network.h"
#endif

/* A load in progress: nothing of the network changes until all of it is there. */
typedef struct loading {
    const char *path;
    const network *net;
    const gdrq_folded_network *to;
    gdrq_folded file;
    gdrq_grid *grids;
    gdrq_node_weights *weights;
#ifdef GPU
    gdrq_cuda_weights *on_gpu; /* the same there; NULL: the network is on the CPU */
#endif
    char *kept_path; /* NULL: numbers of no file */
    gdrq_error *err;
} loading;

/* ---- does the file fit the network ---- */

static gdrq_status fail_layer(const loading *in, int i, const char *what) {
    return gdrq_fail(in->err, GDRQ_ERROR_FORMAT, "%s: layer %d: %s; it belongs to another cfg",
                     in->path, i, what);
}

static size_t filter_size(const gdrq_node *node) {
    return (size_t)node->size * (size_t)node->size * (size_t)(node->in.c / node->groups);
}

static const gdrq_running_threshold *class_of(const loading *in, int i) {
    return &in->to->classes->classes[in->to->nodes[i].input_class];
}

static gdrq_status check_folded_layer(const loading *in, int i, const gdrq_folded_layer *l) {
    const gdrq_node *node = &in->to->nodes[i];
    if (l->weight_bits != in->to->weight_bits[i])
        return fail_layer(in, i, "other weight bits");
    if (l->filters != node->out.c)
        return fail_layer(in, i, "another number of filters");
    if (l->filter_size != filter_size(node))
        return fail_layer(in, i, "filters of another size");
    if (in->file.classes[l->input].tensor != class_of(in, i)->tensor)
        return fail_layer(in, i, "another input");
    return GDRQ_OK;
}

static gdrq_status check_layer(const loading *in, int i, const gdrq_folded_layer *l) {
    const size_t floats = gdrq_count_weights(&in->net->layers[i], GDRQ_ALL);
    const bool folded = in->to->weight_bits[i] > 0;
    if (!folded && floats == 0)
        return l ? fail_layer(in, i, "has numbers, but the cfg's has none") : GDRQ_OK;
    if (!l)
        return fail_layer(in, i, "is missing");
    if (folded != (l->weight_bits > 0))
        return fail_layer(in, i, folded ? "is not folded" : "is folded");
    if (folded)
        return check_folded_layer(in, i, l);
    return l->n_floats == floats ? GDRQ_OK : fail_layer(in, i, "another number of floats");
}

static int compare_index(const void *index, const void *entry) {
    const int a = *(const int *)index, b = ((const gdrq_folded_layer *)entry)->index;
    return a < b ? -1 : a > b;
}

/* The file's entries are sorted. */
static const gdrq_folded_layer *find_entry(const gdrq_folded *file, int i) {
    if (!file->layers)
        return NULL;
    return bsearch(&i, file->layers, (size_t)file->n_layers, sizeof *file->layers, compare_index);
}

static const gdrq_folded_layer *entry_of(const loading *in, int i) {
    return find_entry(&in->file, i);
}

static gdrq_status check_file(const loading *in) {
    const gdrq_folded_network *f = in->to;
    if (in->file.cfg_hash != f->hash)
        return gdrq_fail(
            in->err, GDRQ_ERROR_FORMAT,
            "%s: cfg hash %016llx, but this network's is %016llx: use the cfg that was "
            "written together with it",
            in->path, (unsigned long long)in->file.cfg_hash, (unsigned long long)f->hash);
    gdrq_status status = GDRQ_OK;
    for (int i = 0; status == GDRQ_OK && i < f->n; i++)
        status = check_layer(in, i, entry_of(in, i));
    if (status == GDRQ_OK && in->file.n_layers > 0 &&
        in->file.layers[in->file.n_layers - 1].index >= f->n)
        status = fail_layer(in, in->file.layers[in->file.n_layers - 1].index, "does not exist");
    return status;
}

/* ---- numbers ---- */

static gdrq_status read_grids(loading *in) {
    const gdrq_tensor_classes *classes = in->to->classes;
    for (int k = 0; k < classes->n; k++) {
        const gdrq_running_threshold *t = &classes->classes[k];
        const gdrq_folded_class *found = NULL;
        for (int i = 0; i < in->file.n_classes; i++)
            if (in->file.classes[i].tensor == t->tensor)
                found = &in->file.classes[i];
        if (!found || found->bits != t->bits || found->range != t->range)
            return gdrq_fail(in->err, GDRQ_ERROR_FORMAT,
                             "%s: class of tensor %d: other bits or range than in the cfg",
                             in->path, t->tensor);
        in->grids[k] = found->grid;
    }
    return GDRQ_OK;
}

/*
 * A filter's codes from the file's order (channel, row, column) to that of the engine, which reads
 * pixels: row, column, channel. A connected layer's filter has the shape of the whole tensor.
 */
static void reorder(const int8_t *codes, int w, int h, int c, int8_t *out) {
    const size_t plane = (size_t)w * (size_t)h;
    for (size_t k = 0; k < (size_t)c; k++)
        for (size_t i = 0; i < plane; i++)
            out[i * (size_t)c + k] = codes[k * plane + i];
}

static gdrq_tensor_shape filter_shape(const gdrq_folded_network *f, const gdrq_node *node) {
    return node->flat ? f->tensors[node->reads[0] + 1]
                      : (gdrq_tensor_shape){node->size, node->size, node->in.c / node->groups};
}

/* room: for the codes of a filter. */
static void unpack_filters(const gdrq_folded_network *f, const gdrq_folded_layer *l, int i,
                           int8_t *room, gdrq_node_weights *w) {
    const gdrq_tensor_shape shape = filter_shape(f, &f->nodes[i]);
    const size_t packed = gdrq_packed_size(l->filter_size, l->weight_bits);
    for (int k = 0; k < l->filters; k++) {
        gdrq_unpack(l->weights + (size_t)k * packed, l->filter_size, l->weight_bits, room);
        for (size_t n = 0; n < l->filter_size; n++)
            w->sums[k] += room[n];
        reorder(room, shape.w, shape.h, shape.c, w->codes + (size_t)k * l->filter_size);
    }
}

gdrq_status gdrq_folded_unpack(const gdrq_folded_network *f, const gdrq_folded *file, int i,
                               ACTIVATION activation, gdrq_node_weights *weights, gdrq_error *err) {
    const gdrq_folded_layer *l = find_entry(file, i);
    const size_t bytes = (size_t)l->filters * sizeof(float);
    gdrq_status status = gdrq_node_weights_make(weights, l->filters, l->filter_size, err);
    int8_t *room = gdrq_alloc(l->filter_size, 1);
    if (status == GDRQ_OK && !room) {
        gdrq_node_weights_free(weights);
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "layer %d: out of memory for its weights", i);
    }
    if (status == GDRQ_OK) {
        unpack_filters(f, l, i, room, weights);
        memcpy((float *)weights->epilogue.scale, l->scale, bytes);
        memcpy((float *)weights->epilogue.bias, l->bias, bytes);
        weights->epilogue.activation = gdrq_folded_activation(activation);
    }
    free(room);
    return status;
}

/* For the kernel that will use them; on a GPU the host keeps nothing. */
static gdrq_status pack_layer(loading *in, int i) {
    const gdrq_node *node = &in->to->nodes[i];
#ifdef GPU
    if (in->on_gpu) {
        const gdrq_status status =
            gdrq_folded_gpu_upload(in->to->gpu, i, node, &in->weights[i], &in->on_gpu[i], in->err);
        gdrq_node_weights_free(&in->weights[i]);
        return status;
    }
#endif
    return gdrq_node_weights_pack(&in->weights[i], node, -in->grids[node->input_class].min,
                                  in->err);
}

static gdrq_status read_all_weights(loading *in) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; status == GDRQ_OK && i < in->to->n; i++) {
        if (in->to->weight_bits[i] == 0)
            continue;
        status = gdrq_folded_unpack(in->to, &in->file, i, in->net->layers[i].activation,
                                    &in->weights[i], in->err);
        if (status == GDRQ_OK)
            status = pack_layer(in, i);
    }
    return status;
}

static bool copy_span(void *user, const gdrq_weight_span *span) {
    const float **from = user;
    memcpy(span->data, *from, span->count * sizeof(float));
    *from += span->count;
    return true;
}

/* ---- all of it ---- */

static gdrq_status commit(loading *in, gdrq_folded_network *f) {
    for (int i = 0; i < f->n; i++) {
        const gdrq_node_weights old = f->weights[i];
        f->weights[i] = in->weights[i];
        in->weights[i] = old;
        if (f->weight_bits[i] > 0 || !entry_of(in, i))
            continue;
        const float *floats = entry_of(in, i)->floats;
        gdrq_visit_weight_spans(&in->net->layers[i], GDRQ_ALL, copy_span, &floats);
    }
    memcpy(f->grids, in->grids, (size_t)f->classes->n * sizeof *f->grids);
    char *const old = f->path;
    f->path = in->kept_path;
    in->kept_path = old;
    f->loaded = true;
#ifdef GPU
    if (in->on_gpu) {
        gdrq_folded_gpu_swap_weights(f->gpu, in->on_gpu);
        return gdrq_gpu_push(in->net, in->err); /* the floats of stock layers */
    }
#endif
    return GDRQ_OK;
}

static gdrq_status make_room(loading *in) {
    in->grids = gdrq_alloc((size_t)in->to->classes->n, sizeof *in->grids);
    in->weights = gdrq_alloc((size_t)in->to->n, sizeof *in->weights);
    bool ok = in->grids && in->weights;
#ifdef GPU
    if (in->to->gpu) {
        in->on_gpu = gdrq_alloc((size_t)in->to->n, sizeof *in->on_gpu);
        ok = ok && in->on_gpu;
    }
#endif
    return ok ? GDRQ_OK : gdrq_fail(in->err, GDRQ_ERROR_MEMORY, "%s: out of memory", in->path);
}

static void free_loading(loading *in) {
    for (int i = 0; in->weights && i < in->to->n; i++)
        gdrq_node_weights_free(&in->weights[i]);
#ifdef GPU
    for (int i = 0; in->on_gpu && i < in->to->n; i++)
        gdrq_cuda_weights_free(&in->on_gpu[i]);
    free(in->on_gpu);
#endif
    free(in->weights);
    free(in->grids);
    free(in->kept_path);
    gdrq_folded_close(&in->file);
}

static gdrq_status keep_path(loading *in) {
    in->kept_path = gdrq_strdup(in->path);
    return in->kept_path ? GDRQ_OK
                         : gdrq_fail(in->err, GDRQ_ERROR_MEMORY, "%s: out of memory", in->path);
}

gdrq_status gdrq_folded_open(const network *net, const gdrq_folded_network *f, const char *path,
                             gdrq_folded *file, gdrq_error *err) {
    loading in = {.path = path, .net = net, .to = f, .err = err};
    gdrq_status status = gdrq_folded_read(path, &in.file, err);
    if (status == GDRQ_OK)
        status = check_file(&in);
    if (status != GDRQ_OK)
        gdrq_folded_close(&in.file);
    *file = in.file;
    return status;
}

static gdrq_status load(loading *in) {
    gdrq_status status = make_room(in);
    if (status == GDRQ_OK)
        status = keep_path(in);
    if (status == GDRQ_OK)
        status = gdrq_folded_open(in->net, in->to, in->path, &in->file, in->err);
    if (status == GDRQ_OK)
        status = read_grids(in);
    return status == GDRQ_OK ? read_all_weights(in) : status;
}

/* A step of xorshift (Marsaglia, Journal of Statistical Software 8 (2003), 14). */
static uint32_t random_word(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Weights over their whole range; sums that mostly stay within the next codes. */
static gdrq_status randomise_layer(loading *in, int i, uint32_t *state) {
    const gdrq_node *node = &in->to->nodes[i];
    const size_t size = filter_size(node), filters = (size_t)node->out.c;
    const int top = node->limits.weight;
    gdrq_node_weights *w = &in->weights[i];
    const gdrq_status status = gdrq_node_weights_make(w, node->out.c, size, in->err);
    if (status != GDRQ_OK)
        return status;
    for (size_t k = 0; k < filters * size; k++) {
        w->codes[k] = (int8_t)((int)(random_word(state) % (uint32_t)(2 * top + 1)) - top);
        w->sums[k / size] += w->codes[k];
    }
    for (size_t f = 0; f < filters; f++)
        ((float *)w->epilogue.scale)[f] = 1.f / ((float)top * sqrtf((float)size));
    w->epilogue.activation = gdrq_folded_activation(in->net->layers[i].activation);
    return pack_layer(in, i);
}

gdrq_status gdrq_folded_randomise(gdrq_folded_network *f, const network *net, gdrq_error *err) {
    loading in = {.path = "random weights", .net = net, .to = f, .err = err};
    uint32_t state = 1;
    gdrq_status status = make_room(&in);
    for (int k = 0; status == GDRQ_OK && k < f->classes->n; k++) {
        const gdrq_running_threshold *t = &f->classes->classes[k];
        in.grids[k] = gdrq_activation_grid(t->bits, t->range, t->slope,
                                           t->fixed ? 1 : (float)((1 << t->bits) - 1));
    }
    for (int i = 0; status == GDRQ_OK && i < f->n; i++)
        if (f->weight_bits[i] > 0)
            status = randomise_layer(&in, i, &state);
    if (status == GDRQ_OK)
        status = commit(&in, f);
    free_loading(&in);
    return status;
}

gdrq_status gdrq_folded_load(network *net, gdrq_folded_network *f, const char *path,
                             gdrq_error *err) {
    loading in = {.path = path, .net = net, .to = f, .err = err};
    gdrq_status status = load(&in);
    if (status == GDRQ_OK)
        status = commit(&in, f);
    free_loading(&in);
    return status;
}
