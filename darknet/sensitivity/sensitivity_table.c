#include "sensitivity/sensitivity_table.h"

#include "quantised_network.h"
#include "sensitivity/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_SIZE = 32 };

void sensitivity_title(const sensitivity *s, char *line, size_t size) {
    if (s->metric)
        snprintf(line, size,
                 "What %s falls by, in points, from %.2f in float, on %d images; one layer "
                 "quantised at a time",
                 metric_name(s->metric), s->float_points, metric_images(s->metric));
    else
        snprintf(line, size,
                 "Error of the outputs, 100 * |yq - y|^2 / |y|^2 %%, over %d picture%s; one layer "
                 "quantised at a time",
                 s->paths.n, s->paths.n == 1 ? "" : "s");
}

void sensitivity_number(double error, char *text, size_t size) {
    const double magnitude = fabs(error);
    if (isnan(error))
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.*f",
                 magnitude < 10    ? 4
                 : magnitude < 100 ? 3
                 : magnitude < 1e4 ? 1
                                   : 0,
                 error);
}

/* ---- layers ---- */

static void print_heading(bit_set set) {
    for (int b = BITS_FIRST; b < BITS_END; b++)
        if (bits_has(set, b))
            printf(" %6d ", b);
}

static void print_errors(bit_set set, const double *errors, int chosen) {
    char text[NUMBER_SIZE];
    for (int b = BITS_FIRST; b < BITS_END; b++) {
        if (!bits_has(set, b))
            continue;
        sensitivity_number(errors[b], text, sizeof text);
        printf(" %6s%c", text, b == chosen ? '*' : ' ');
    }
}

/* "convolutional" */
static const char *short_type(const sensitive_layer *l) {
    return quantised_type(&l->quantisation) + strlen("gdrq_");
}

void sensitivity_table_print(const sensitivity *s, const proposal *p) {
    char title[256];
    sensitivity_title(s, title, sizeof title);
    const int gap = 8 * bits_count(s->weight_bits) - (int)strlen("bits of weights") + 2;
    printf("%s:\n%29s  bits of weights%*sbits of activations\n", title, "", gap < 2 ? 2 : gap, "");
    printf("%5s %-13s %9s", "layer", "type", "weights");
    print_heading(s->weight_bits);
    printf(" ");
    print_heading(s->activation_bits);
    putchar('\n');
    for (int i = 0; i < s->n; i++) {
        const sensitive_layer *l = &s->layers[i];
        const layer_bits *chosen = p->n ? &p->rows[PROPOSAL_CHOSEN].bits[i] : NULL;
        printf("%5d %-13s %9zu", l->quantisation.layer, short_type(l), sensitive_layer_weights(l));
        print_errors(s->weight_bits, l->weight_errors, chosen ? chosen->weights : 0);
        printf(" ");
        if (l->has_tensor)
            print_errors(s->activation_bits, l->activation_errors,
                         chosen ? chosen->activations : 0);
        else if (l->reads_pixels)
            printf(" pixels");
        else
            printf(" as layer %d", l->quantisation.input_reader);
        putchar('\n');
    }
}

/* ---- the proposal ---- */

static void print_row(const proposal_row *r) {
    char predicted[NUMBER_SIZE], measured[NUMBER_SIZE];
    sensitivity_number(r->predicted, predicted, sizeof predicted);
    sensitivity_number(r->measured, measured, sizeof measured);
    printf("%-29s %9.4f %6.3f %10s %9s\n", r->name, r->bytes / 1e6, r->mean_bits, predicted,
           measured);
}

void proposal_print(const sensitivity *s, const proposal *p) {
    if (!p->n)
        return;
    printf(
        "\nAll layers quantised (* above: the proposed bits). Predicted: the errors of single "
        "layers added up, each\nno less than 0 and than that of more bits, %s; MB: packed weights, "
        "scales and biases:\n",
        s->metric ? "in points" : "in %");
    printf("%-29s %9s %6s %10s %9s\n", "", "MB", "bits", "predicted", "measured");
    for (int k = 0; k < p->n; k++)
        print_row(&p->rows[k]);
}
