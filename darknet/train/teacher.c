#include "train/teacher.h"

#include "base/status.h"
#include "train/iteration.h"

/* The layer before any [cost]. */
static layer *output_layer(const network *net) {
    int i = net->n - 1;
    while (i > 0 && net->layers[i].type == COST)
        i--;
    return &net->layers[i];
}

static gdrq_status check_softmax(const teacher *t, const char *whose, const network *net,
                                 gdrq_error *err) {
    const layer *last = output_layer(net);
    if (last->type == SOFTMAX && !last->softmax_tree && last->groups == 1)
        return GDRQ_OK;
    return gdrq_fail(
        err, GDRQ_ERROR_FORMAT,
        "%s can't teach: %s last section must be [softmax], without tree=", t->cfg_path, whose);
}

static int largest_divisor(int n, int most) {
    int divisor = most < n ? most : n;
    while (n % divisor)
        divisor--;
    return divisor;
}

gdrq_status teacher_resize(const teacher *t, int w, int h, int classes, gdrq_error *err) {
    network *net = t->net;
    gdrq_error cause;
    if (!net)
        return GDRQ_OK;
    if ((net->w != w || net->h != h) && gdrq_network_resize(net, w, h, &cause) != GDRQ_OK)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s can't teach at %d x %d: %.400s", t->cfg_path,
                         w, h, cause.message);
    if (net->outputs == classes)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%s can't teach: at %d x %d it has %d outputs, and the network %d classes",
                     t->cfg_path, w, h, net->outputs, classes);
}

gdrq_status teacher_prepare(const teacher *t, network *const *students, int n, int images,
                            gdrq_error *err) {
    const network *student = students[0];
    if (!t->net)
        return GDRQ_OK;
    gdrq_status status = check_softmax(t, "its", t->net, err);
    if (status == GDRQ_OK)
        status = check_softmax(t, "the network's", student, err);
    if (status == GDRQ_OK)
        status = teacher_resize(t, student->w, student->h, student->outputs, err);
    if (status != GDRQ_OK)
        return status;
    output_layer(t->net)->temperature *= t->temperature;
    for (int i = 0; i < n; i++)
        output_layer(students[i])->temperature *= t->temperature;
    set_batch_network(t->net, largest_divisor(images, t->net->batch));
    return GDRQ_OK;
}

/* Of one image. */
static void mix(const teacher *t, const float *taught, int classes, float *truth) {
    for (int i = 0; i < classes; i++)
        truth[i] += t->share * (taught[i] - truth[i]);
}

gdrq_status teacher_teach(const teacher *t, const loader_batch *batch, int classes,
                          gdrq_error *err) {
    network *net = t->net;
    if (!net)
        return GDRQ_OK;
    const gdrq_status status = teacher_resize(t, batch->w, batch->h, classes, err);
    for (int first = 0; status == GDRQ_OK && first < batch->n; first += net->batch) {
        iteration_feed(net, batch, first);
        const float *taught = network_predict(net, net->input);
        for (int b = 0; b < net->batch; b++)
            mix(t, taught + (size_t)b * (size_t)classes, classes,
                batch->truth + (size_t)(first + b) * (size_t)classes);
    }
    return status;
}
