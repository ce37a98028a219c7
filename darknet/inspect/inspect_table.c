#include "inspect/inspect_table.h"

#include "quantised_network.h"

#include <stdio.h>

static const char *const weights_title = "Weights; T is the threshold that they are clipped at, "
                                         "its mean over groups, least and most:";

static double percent(double share) {
    return 100 * share;
}

/* The columns that both tables end with. */
static void print_end_heading(void) {
    printf(" %7s %9s %8s %13s\n", "loss %", "clipped %", "codes", "from uniform");
}

static void print_end(const gdrq_distribution *d) {
    char codes[32];
    snprintf(codes, sizeof codes, "%d/%d", gdrq_distribution_codes_used(d), d->max - d->min + 1);
    printf(" %7.2f %9.3f %8s %13.3f\n", percent(gdrq_distribution_loss(d)),
           percent(gdrq_distribution_clipped(d)), codes, gdrq_distribution_distance(d));
}

static void print_start(const inspected_layer *l, int bits) {
    printf("%5d %-18s %4d", l->quantisation.layer, quantised_type(&l->quantisation), bits);
}

static void print_start_heading(void) {
    printf("layer %-18s %4s", "type", "bits");
}

/* Only where there is a before. */
static void print_before_heading(void) {
    printf(" %8s", "before %");
}

static void print_before(const gdrq_distribution *d) {
    if (d->n)
        printf(" %8.2f", percent(gdrq_distribution_loss(d)));
    else
        printf(" %8s", "-");
}

static void print_weights(const inspection *in) {
    puts(weights_title);
    print_start_heading();
    printf(" %6s %9s %9s %9s", "groups", "T", "least", "most");
    if (in->before)
        print_before_heading();
    print_end_heading();
    for (int i = 0; i < in->n; i++) {
        const inspected_layer *l = &in->layers[i];
        print_start(l, l->quantisation.weight_bits);
        printf(" %6d %9.4g %9.4g %9.4g", l->quantisation.groups, l->threshold.mean,
               l->threshold.least, l->threshold.most);
        if (in->before)
            print_before(&l->before);
        print_end(&l->weights);
    }
}

static void print_inputs(const inspection *in) {
    printf("\nInput activations, of %d picture%s:\n", in->pictures, in->pictures == 1 ? "" : "s");
    print_start_heading();
    printf(" %-8s %9s", "range", "T");
    if (in->inputs_before)
        print_before_heading();
    print_end_heading();
    for (int i = 0; i < in->n; i++) {
        const inspected_layer *l = &in->layers[i];
        print_start(l, l->quantisation.input_bits);
        printf(" %-8s %9.4g", l->quantisation.input_range, (double)l->quantisation.input_threshold);
        if (in->inputs_before)
            print_before(l->input_before);
        print_end(l->input);
    }
}

void inspect_table_print(const inspection *in) {
    print_weights(in);
    if (in->inputs)
        print_inputs(in);
}
