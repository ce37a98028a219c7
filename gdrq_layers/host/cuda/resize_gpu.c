#include "host/cuda/resize_gpu.h"

#include "base/alloc.h"
#include "base/cuda/device.h"
#include "host/cuda/gpu_network.h"
#include "host/network_state.h"

/* A row per layer, and one of the network itself; an empty slot ends those in use. */
static gdrq_gpu_room *room_of(const gdrq_resizing *r, int row, const gdrq_gpu_need *need) {
    gdrq_gpu_room *room = &r->rooms[(size_t)row * GDRQ_GPU_NEEDS];
    while (room->slot && room->slot != need->slot)
        ++room;
    if (!room->slot)
        *room = (gdrq_gpu_room){need->slot, need->had};
    if (!*need->slot)
        room->bytes = 0;
    return room;
}

static gdrq_status new_array(int layer, size_t bytes, void **array, gdrq_error *err) {
    return gdrq_gpu_new_array(layer, (bytes + sizeof(float) - 1) / sizeof(float), array, err);
}

/* With what it holds: the resize may fail yet. */
static gdrq_status grow(gdrq_gpu_room *room, int layer, size_t bytes, gdrq_error *err) {
    void *larger;
    gdrq_status status = new_array(layer, bytes, &larger, err);
    if (status == GDRQ_OK && room->bytes > 0)
        status = gdrq_device_copy(larger, *room->slot, room->bytes, err);
    if (status != GDRQ_OK) {
        gdrq_device_free(larger);
        return status;
    }
    gdrq_device_free(*room->slot);
    *room->slot = larger;
    room->bytes = bytes;
    return GDRQ_OK;
}

/* `layer` is the one to name if there is no memory. */
static gdrq_status make_room(gdrq_resizing *r, int row, gdrq_gpu_need *need, int layer) {
    gdrq_gpu_room *room = room_of(r, row, need);
    if (need->bytes <= room->bytes)
        return GDRQ_OK;
    gdrq_error error;
    const gdrq_status status = r->folded ? new_array(layer, need->bytes, &need->fresh, &error)
                                         : grow(room, layer, need->bytes, &error);
    if (status == GDRQ_OK)
        return GDRQ_OK;
    if (status != GDRQ_ERROR_MEMORY)
        *r->failure = (gdrq_gpu_failure){status, error};
    return gdrq_resize_no_buffer(r, layer);
}

/* Those who share an array that may have moved. */
static void follow(network *net) {
    for (int i = 1; i < net->n; ++i)
        if (net->layers[i].type == DROPOUT) {
            net->layers[i].output_gpu = net->layers[i - 1].output_gpu;
            net->layers[i].delta_gpu = net->layers[i - 1].delta_gpu;
        }
    net->output_gpu = get_network_output_layer(net).output_gpu;
}

static void need_of_network(gdrq_resizing *r, void *slot, size_t had, size_t bytes) {
    r->net_gpu[r->n_net_gpu++] = (gdrq_gpu_need){.slot = slot, .bytes = bytes, .had = had};
}

/* The layer that needs most of the workspace, which all share. */
static int plan_network(gdrq_resizing *r, size_t inputs, size_t truths) {
    network *net = r->net;
    const size_t batch = (size_t)r->old_batch;
    size_t had = 0;
    int most = 0;
    for (int i = 0; i < net->n; ++i) {
        if (r->layers[i].workspace_size > r->layers[most].workspace_size)
            most = i;
        if (net->layers[i].workspace_size > had)
            had = net->layers[i].workspace_size;
    }
    need_of_network(r, &net->input_gpu, batch * (size_t)net->inputs * sizeof(float),
                    inputs * sizeof(float));
    need_of_network(r, &net->truth_gpu, batch * (size_t)net->truths * sizeof(float),
                    truths * sizeof(float));
    need_of_network(r, &net->workspace, had, r->layers[most].workspace_size);
    return most;
}

static gdrq_status make_rooms(gdrq_resizing *r, const int *named) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < r->net->n; ++i)
        for (int k = 0; status == GDRQ_OK && k < r->layers[i].n_gpu; ++k)
            status = make_room(r, i, &r->layers[i].gpu[k], i);
    for (int k = 0; status == GDRQ_OK && k < r->n_net_gpu; ++k)
        status = make_room(r, r->net->n, &r->net_gpu[k], named[k]);
    return status;
}

gdrq_status gdrq_resize_gpu(gdrq_resizing *r, size_t inputs, size_t truths) {
    gdrq_network_state *state = gdrq_network_state_find(r->net);
    if (!state->gpu_rooms)
        state->gpu_rooms =
            gdrq_alloc(((size_t)r->net->n + 1) * GDRQ_GPU_NEEDS, sizeof *state->gpu_rooms);
    r->rooms = state->gpu_rooms;
    if (!r->rooms)
        return gdrq_resize_no_buffer(r, 0);
    const int most = plan_network(r, inputs, truths);
    const gdrq_status status = make_rooms(r, (int[]){0, r->net->n - 1, most});
    if (!r->folded)
        follow(r->net);
    return status;
}

/* `keeps`: the fresh arrays. */
static void settle(gdrq_resizing *r, int row, gdrq_gpu_need *needs, int n, bool keeps) {
    for (int k = 0; k < n; ++k) {
        void *fresh = needs[k].fresh;
        needs[k].fresh = NULL;
        if (fresh && keeps) {
            gdrq_gpu_room *room = room_of(r, row, &needs[k]);
            room->bytes = needs[k].bytes;
            gdrq_device_free(*room->slot);
            *room->slot = fresh;
        } else {
            gdrq_device_free(fresh);
        }
    }
}

static void settle_all(gdrq_resizing *r, bool keeps) {
    for (int i = 0; i < r->net->n; ++i)
        settle(r, i, r->layers[i].gpu, r->layers[i].n_gpu, keeps);
    settle(r, r->net->n, r->net_gpu, r->n_net_gpu, keeps);
}

void gdrq_resize_gpu_commit(gdrq_resizing *r) {
    settle_all(r, true);
}

void gdrq_resize_gpu_discard(gdrq_resizing *r) {
    settle_all(r, false);
}
