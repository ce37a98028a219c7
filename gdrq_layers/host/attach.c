#include "host/attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/write_all.h"
#include "host/host.h"
#include "host/network_state.h"
#include "host/outline.h"
#include "host/scratch_buffer.h"
#include "host/section_value.h"
#include "primitives/replace.h"
#include "primitives/replacements.h"
#include "primitives/segmentation_layer.h"
#include "train/gdrq_connected_layer.h"
#include "train/gdrq_convolutional_layer.h"
#ifdef GPU
#include "host/cuda/gpu_network.h"
#include "host/gpu_sections.h"
#include "primitives/cuda/layers_gpu.h"
#include "primitives/cuda/segmentation_layer_gpu.h"
#include "train/cuda/float_layers_gpu.h"
#endif

/* Gives the host's parser the translated text under a name that it can open. */
static gdrq_status parse_text(const char *cfg_path, const char *text, network **net,
                              gdrq_error *err) {
    const gdrq_host *host;
    gdrq_status status = gdrq_host_find(&host, err);
    if (status != GDRQ_OK)
        return status;
    const int fd = memfd_create("gdrq-cfg", MFD_CLOEXEC);
    const size_t n = strlen(text);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (fd < 0 || !gdrq_write_all(fd, text, n))
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't make a copy in memory", cfg_path);
    else if (access(name, R_OK) != 0)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: /proc is needed but can't be read", name);
    else
        *net = host->parse_network_cfg(name);
    if (fd >= 0)
        close(fd);
    return status;
}

/* What we expect and what the host made must agree, else its struct layout is not ours. */
static gdrq_status check_shapes(const gdrq_outline *outline, const network *net, gdrq_error *err) {
    if (net->n != outline->n || net->batch != outline->batch)
        return gdrq_fail(err, GDRQ_ERROR_HOST,
                         "%s: libdarknet made %d layers and a batch of %d instead of %d and %d",
                         outline->cfg.path, net->n, net->batch, outline->n, outline->batch);
    for (int i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        const gdrq_outline_layer *o = &outline->layers[i];
        if (l->type != o->type || l->outputs != o->outputs || l->out_w != o->out_w ||
            l->out_h != o->out_h || l->out_c != o->out_c || !l->forward)
            return gdrq_fail(
                err, GDRQ_ERROR_HOST,
                "%s: libdarknet made layer %d %dx%dx%d instead of %dx%dx%d: it differs "
                "from the darknet.h that libgdrq was built with",
                outline->cfg.path, i, l->out_w, l->out_h, l->out_c, o->out_w, o->out_h, o->out_c);
    }
    return GDRQ_OK;
}

/*
 * The host makes room for 90 (region: 30) boxes per image whatever `max` says, and the loader packs
 * `max` of them per image: with another max, writes go out of bounds and all but the first image of
 * a batch get wrong boxes.
 */
static gdrq_status fit_truth(network *net, const char *path, gdrq_error *err) {
    for (int i = 0; i < net->n; ++i) {
        layer *l = &net->layers[i];
        if (l->type == YOLO)
            l->truths = l->max_boxes * (4 + 1);
        if (l->type == REGION)
            l->truths = l->max_boxes * (l->coords + 1);
    }
    const layer *last = &net->layers[net->n - 1];
    if (last->truths)
        net->truths = last->truths;
    float *truth = gdrq_alloc((size_t)net->truths * (size_t)net->batch, sizeof(float));
    if (!truth)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    free(net->truth);
    net->truth = truth;
#ifdef GPU
    if (gdrq_is_on_gpu(net))
        return gdrq_gpu_fit_truth(net, err);
#endif
    return GDRQ_OK;
}

static bool has_buffer(float **buffer, size_t n) {
    if (!*buffer)
        *buffer = gdrq_alloc(n, sizeof(float));
    return *buffer != NULL;
}

/*
 * The host's constructor of batch norm layers leaves out buffers that its forward and backward use;
 * ours need but two of them.
 */
static gdrq_status complete_batchnorm(layer *l, gdrq_error *err) {
    const size_t n = (size_t)l->batch * (size_t)l->outputs, channels = (size_t)l->c;
    bool ok = has_buffer(&l->mean_delta, channels) && has_buffer(&l->variance_delta, channels);
    if (!gdrq_replaces(GDRQ_REPLACES_BATCHNORM))
        ok = ok && has_buffer(&l->x, n) && has_buffer(&l->x_norm, n);
    return ok ? GDRQ_OK : gdrq_fail(err, GDRQ_ERROR_MEMORY, "[batchnorm]: out of memory");
}

/* Without class_weights= all classes weigh the same. */
static gdrq_status make_segmentation(layer *l, int index, const gdrq_cfg_section *section,
                                     gdrq_error *err) {
    const gdrq_cfg_option *option = gdrq_cfg_find(section, "class_weights");
    const char *list = option ? option->value : NULL;
    float *weights = gdrq_alloc((size_t)l->c, sizeof *weights);
    if (!weights)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "[segmentation]: out of memory");
    for (int c = 0; c < l->c; ++c)
        weights[c] = list ? gdrq_list_next_float(&list) : 1;
    gdrq_make_segmentation_layer(l, weights);
#ifdef GPU
    if (gpu_index >= 0)
        return gdrq_make_segmentation_layer_gpu(l, index, err);
#else
    (void)index;
#endif
    return GDRQ_OK;
}

typedef gdrq_status make_function(layer *l, int index, const gdrq_layer_options *options,
                                  gdrq_running_threshold *input, gdrq_training *training,
                                  gdrq_error *err);

static gdrq_status attach_layer(network *net, int i, const gdrq_outline *outline,
                                gdrq_network_state *state, gdrq_error *err) {
    layer *l = &net->layers[i];
    if (outline->layers[i].folded)
        return GDRQ_OK;
    if (outline->layers[i].quantised) {
        gdrq_running_threshold *t = &state->tensors.classes[state->tensors.of_layer[i]];
        make_function *make =
            l->type == CONNECTED ? make_gdrq_connected_layer : make_gdrq_convolutional_layer;
        return make(l, i, &outline->layers[i].options, t, &state->training, err);
    }
    if (outline->layers[i].segmentation)
        return make_segmentation(l, i, outline->layers[i].section, err);
    /* The host counts floats as bytes for the one and asks for nothing for the other. */
    if (l->type == LOCAL || l->type == CRNN)
        l->workspace_size = outline->layers[i].workspace;
    /* On a GPU the host's own functions run, with the buffers that they need, but for a few. */
    if (!gdrq_is_on_gpu(net))
        gdrq_replace_layer_functions(l);
#ifdef GPU
    else {
        gdrq_replace_float_layer_gpu(l);
        const gdrq_status status = gdrq_replace_layer_functions_gpu(l, i, err);
        if (status != GDRQ_OK)
            return status;
    }
#endif
    return l->type == BATCHNORM ? complete_batchnorm(l, err) : GDRQ_OK;
}

/* The scratch buffer that all layers share; the host sizes it before our layers say what they need.
 */
static gdrq_status fit_workspace(network *net, gdrq_error *err) {
    int most = 0;
    for (int i = 1; i < net->n; ++i)
        if (net->layers[i].workspace_size > net->layers[most].workspace_size)
            most = i;
    float *workspace;
    const gdrq_status status =
        gdrq_scratch_buffer_new(net, most, net->layers[most].workspace_size, &workspace, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_scratch_buffer_free(net, net->workspace);
    net->workspace = workspace;
    return GDRQ_OK;
}

static gdrq_status attach(network *net, const gdrq_outline *outline, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_new(net);
    if (!state)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", outline->cfg.path);
    gdrq_status status = gdrq_tensor_classes_build(outline, &state->tensors, err);
    state->ema = gdrq_value_float(&outline->cfg.sections[0], "ema", 0);
    state->ema_images = gdrq_value_int(&outline->cfg.sections[0], "ema_images", 1024);
    state->max_shift = gdrq_value_int(&outline->cfg.sections[0], "max_shift", 0);
    if (outline->untrainable)
        snprintf(state->untrainable, sizeof state->untrainable, "%s", outline->untrainable);
    else if (gdrq_outline_is_folded(outline))
        snprintf(state->untrainable, sizeof state->untrainable,
                 "%.400s: is folded, which can't be trained: train the cfg that it was made of",
                 outline->cfg.path);
    for (int i = 0; status == GDRQ_OK && i < net->n; ++i)
        status = attach_layer(net, i, outline, state, err);
    if (status == GDRQ_OK)
        status = fit_truth(net, outline->cfg.path, err);
    if (status == GDRQ_OK)
        status = fit_workspace(net, err);
    if (status == GDRQ_OK && gdrq_outline_is_folded(outline))
        status = gdrq_folded_attach(net, outline, &state->tensors, &state->folded, err);
    return status;
}

static gdrq_status parse_outline(const gdrq_outline *outline, network **net, gdrq_error *err) {
    char *text = NULL;
    gdrq_status status = gdrq_outline_translate(outline, &text, err);
#ifdef GPU
    gdrq_gpu_makes_folded(gdrq_outline_is_folded(outline));
#endif
    if (status == GDRQ_OK)
        status = parse_text(outline->cfg.path, text, net, err);
    free(text);
    if (status == GDRQ_OK)
        status = check_shapes(outline, *net, err);
    if (status == GDRQ_OK)
        status = attach(*net, outline, err);
#ifdef GPU
    gdrq_gpu_makes_folded(false);
#endif
    return status;
}

gdrq_status gdrq_attach_parse(const char *cfg_path, gdrq_note *note, void *user, network **net,
                              gdrq_error *err) {
    gdrq_outline outline;
    *net = NULL;
    gdrq_status status = gdrq_replacements_check(err);
#ifdef GPU
    if (status == GDRQ_OK && gpu_index >= 0)
        status = gdrq_gpu_check(gpu_index, err);
#endif
    if (status == GDRQ_OK)
        status = gdrq_outline_read(cfg_path, &outline, err);
    if (status != GDRQ_OK)
        return status;
#ifdef GPU
    if (gpu_index >= 0 && gdrq_gpu_sections_check(&outline, err) != GDRQ_OK) {
        gdrq_outline_free(&outline);
        return GDRQ_ERROR_FORMAT;
    }
#endif
    for (int i = 0; note && i < outline.n_notes; ++i)
        note(user, outline.notes[i]);
    /* A quantised cfg's contradictions between layers, before the host allocates anything. */
    gdrq_tensor_classes classes;
    status = gdrq_tensor_classes_build(&outline, &classes, err);
    if (status == GDRQ_OK) {
        gdrq_tensor_classes_free(&classes);
        status = parse_outline(&outline, net, err);
    }
    gdrq_outline_free(&outline);
    if (status != GDRQ_OK && *net) {
        gdrq_attach_free(*net);
        *net = NULL;
    }
    return status;
}

void gdrq_attach_free(network *net) {
    const gdrq_host *host;
    gdrq_error err;
    if (!net || gdrq_host_find(&host, &err) != GDRQ_OK)
        return;
    /* The host frees these neither with the network nor elsewhere. */
    void *forgotten[] = {net->seen, net->t, net->cost, net->scales, net->steps};
    gdrq_scratch_buffer_free(net, net->workspace);
    gdrq_network_state_free(net);
    host->free_network(net);
    for (size_t i = 0; i < sizeof forgotten / sizeof *forgotten; ++i)
        free(forgotten[i]);
}
