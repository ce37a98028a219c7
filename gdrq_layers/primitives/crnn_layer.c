#include "primitives/crnn_layer.h"

#include "primitives/blas.h"
#include "primitives/stock.h"
#include "primitives/update.h"

/* One of the layers inside, as of time step i: its tensors lie one step behind the other. */
static layer at_step(const layer *inside, int i) {
    layer step = *inside;
    const size_t offset = (size_t)i * (size_t)step.batch * (size_t)step.outputs;
    step.output += offset;
    step.delta += offset;
    if (step.x)
        step.x += offset;
    if (step.x_norm)
        step.x_norm += offset;
    return step;
}

/* Where step i of x begins, of n values per step; of NULL it is NULL. */
static float *step_of(float *x, int i, size_t n) {
    return x ? x + (size_t)i * n : NULL;
}

/*
 * By the host's name, for GDRQ_STOCK's sake: inside of libgdrq, too, it is the hook that is called.
 */
static void backward(const layer *step, network net, float *input, float *delta) {
    net.input = input;
    net.delta = delta;
    backward_convolutional_layer(*step, net);
}

void gdrq_backward_crnn_layer(layer l, network net) {
    const size_t hidden = (size_t)l.batch * (size_t)l.hidden;
    const size_t inputs = (size_t)l.batch * (size_t)l.inputs;
    for (int i = l.steps - 1; i >= 0; i--) {
        const layer input = at_step(l.input_layer, i), self = at_step(l.self_layer, i);
        const layer output = at_step(l.output_layer, i);
        float *const before = i > 0 ? self.delta - hidden : NULL;
        /* self.delta has the gradient of h[i + 1] from the steps behind, and gets this one's. */
        backward(&output, net, step_of(l.state, i + 1, hidden), self.delta);
        gdrq_copy_cpu((int)hidden, self.delta, 1, input.delta, 1);
        if (before && l.shortcut)
            gdrq_add_scaled(1, self.delta, hidden, before);
        backward(&self, net, step_of(l.state, i, hidden), before);
        backward(&input, net, step_of(net.input, i, inputs), step_of(net.delta, i, inputs));
    }
}

void gdrq_update_crnn_layer(layer l, update_args a) {
    const layer *const inside[] = {l.input_layer, l.self_layer, l.output_layer};
    for (int i = 0; i < 3; i++) {
        layer part = *inside[i];
        part.learning_rate_scale = l.learning_rate_scale;
        part.clip = l.clip;
        gdrq_update_convolutional_layer(part, a);
    }
}
