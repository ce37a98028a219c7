#include "train/teacher.h"

#include "base/status.h"
#include "train/iteration.h"

static bool ends_in_softmax(const network *net) {
    const layer last = get_network_output_layer((network *)net);
    return last.type == SOFTMAX && !last.softmax_tree && net->outputs == last.outputs;
}

static int largest_divisor(int n, int most) {
    int divisor = most < n ? most : n;
    while (n % divisor)
        divisor--;
    return divisor;
}

/* [softmax] may stand before a [cost]. */
static void heat(network *net, float by) {
    for (int i = 0; i < net->n; i++)
        if (net->layers[i].type == SOFTMAX)
            net->layers[i].temperature *= by;
}

gdrq_status teacher_prepare(const teacher *t, const char *cfg_path, network *const *students, int n,
                            int images, gdrq_error *err) {
    const network *student = students[0];
    if (!t->net)
        return GDRQ_OK;
    if (!ends_in_softmax(t->net) || !ends_in_softmax(student))
        return gdrq_fail(
            err, GDRQ_ERROR_FORMAT,
            "%s can't teach: both networks must end in [softmax], without tree=", cfg_path);
    if (t->net->outputs != student->outputs)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s can't teach: it has %d classes and the network %d", cfg_path,
                         t->net->outputs, student->outputs);
    heat(t->net, t->temperature);
    for (int i = 0; i < n; i++)
        heat(students[i], t->temperature);
    set_batch_network(t->net, largest_divisor(images, t->net->batch));
    return GDRQ_OK;
}

static void mix(const teacher *t, const float *taught, float *truth) {
    for (int i = 0; i < t->net->outputs; i++)
        truth[i] += t->share * (taught[i] - truth[i]);
}

gdrq_status teacher_teach(const teacher *t, const loader_batch *batch, gdrq_error *err) {
    network *net = t->net;
    if (!net)
        return GDRQ_OK;
    if (net->w != batch->w || net->h != batch->h) {
        const gdrq_status status = gdrq_network_resize(net, batch->w, batch->h, err);
        if (status != GDRQ_OK)
            return status;
    }
    for (int first = 0; first < batch->n; first += net->batch) {
        iteration_feed(net, batch, first);
        const float *taught = network_predict(net, net->input);
        for (int b = 0; b < net->batch; b++) {
            const size_t outputs = (size_t)net->outputs;
            mix(t, taught + (size_t)b * outputs, batch->truth + (size_t)(first + b) * outputs);
        }
    }
    return GDRQ_OK;
}
