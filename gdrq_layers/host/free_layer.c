#include "host/free_layer.h"

#include <stdlib.h>

#include "train/quantised_layer.h"
#ifdef GPU
#include "base/cuda/device.h"
#endif

typedef void free_function(layer l);

/* The recurrent layer's output and gradient are its output layer's. */
static void disown_output(layer *output_layer) {
    output_layer->output = output_layer->delta = NULL;
#ifdef GPU
    output_layer->output_gpu = output_layer->delta_gpu = NULL;
#endif
}

#ifdef GPU
static void free_on_gpu(float *const *arrays, size_t n) {
    for (size_t i = 0; i < n; i++)
        gdrq_device_free(arrays[i]);
}
#endif

static void free_inner(layer *const *inner, size_t n, free_function *host_free) {
    for (size_t i = 0; i < n; i++) {
        gdrq_free_layer(inner[i], host_free);
        free(inner[i]);
    }
}

static void free_lstm_buffers(const layer *l) {
    float *const buffers[] = {l->prev_state_cpu, l->prev_cell_cpu, l->cell_cpu,  l->f_cpu,
                              l->i_cpu,          l->g_cpu,         l->o_cpu,     l->c_cpu,
                              l->temp_cpu,       l->temp2_cpu,     l->temp3_cpu, l->dc_cpu,
                              l->dh_cpu};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
#ifdef GPU
    float *const on_gpu[] = {l->prev_cell_gpu, l->cell_gpu,  l->f_gpu,  l->i_gpu,
                             l->g_gpu,         l->o_gpu,     l->c_gpu,  l->temp_gpu,
                             l->temp2_gpu,     l->temp3_gpu, l->dc_gpu, l->dh_gpu};
    free_on_gpu(on_gpu, sizeof on_gpu / sizeof *on_gpu);
#endif
}

static void free_recurrent(const layer *l, free_function *host_free) {
    if (l->type == RNN || l->type == CRNN) {
        disown_output(l->output_layer);
        free_inner((layer *[]){l->input_layer, l->self_layer, l->output_layer}, 3, host_free);
    }
    if (l->type == GRU)
        free_inner((layer *[]){l->uz, l->ur, l->uh, l->wz, l->wr, l->wh}, 6, host_free);
    if (l->type == LSTM) {
        free_inner((layer *[]){l->uf, l->ui, l->ug, l->uo, l->wf, l->wi, l->wg, l->wo}, 8,
                   host_free);
        free_lstm_buffers(l);
    }
}

/* The moments of biases and scales; the host frees those of weights only. */
static void free_moments(const layer *l) {
    free(l->bias_m);
    free(l->bias_v);
    free(l->scale_m);
    free(l->scale_v);
#ifdef GPU
    float *const on_gpu[] = {l->bias_m_gpu, l->bias_v_gpu, l->scale_m_gpu, l->scale_v_gpu};
    free_on_gpu(on_gpu, sizeof on_gpu / sizeof *on_gpu);
#endif
}

static void free_loss(const layer *l) {
    free(l->loss);
#ifdef GPU
    gdrq_device_free(l->loss_gpu);
#endif
}

/* Sums per object, of which the host makes a fixed number. */
static void free_iseg(const layer *l) {
    enum { OBJECTS = 90 };
    for (int i = 0; i < OBJECTS; i++)
        free(l->sums[i]);
    free(l->sums);
    free(l->counts);
}

void gdrq_free_layer(const layer *l, void (*host_free)(layer)) {
    layer rest = *l;
    free_recurrent(l, host_free);
    gdrq_quantised_free(&rest);
    free_moments(l);
    if (l->type == YOLO)
        free(l->mask);
    if (l->type == ISEG)
        free_iseg(l);
    if (l->type == SOFTMAX || l->type == LOGXENT)
        free_loss(l);
    host_free(rest);
}
