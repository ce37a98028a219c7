#include "inspect/inspect_json.h"

#include "quantised_network.h"
#include "results/json_text.h"
#include "results/memory_file.h"

static void put_text(FILE *out, const char *name, const char *text) {
    fprintf(out, "\"%s\": ", name);
    if (text)
        json_put_string(out, text);
    else
        fputs("null", out);
}

static void put_span(FILE *out, const threshold_span *t) {
    fprintf(out, "\"threshold\": {\"mean\": %.9g, \"min\": %.9g, \"max\": %.9g}, ", t->mean,
            t->least, t->most);
}

static void put_distribution(FILE *out, const gdrq_distribution *d) {
    fprintf(out,
            "\"count\": %zu, \"loss\": %.9g, \"clipped\": %.9g, \"codes_used\": %d, "
            "\"codes\": %d, \"distance_from_uniform\": %.9g, \"first_code\": %d, \"histogram\": [",
            d->n, gdrq_distribution_loss(d), gdrq_distribution_clipped(d),
            gdrq_distribution_codes_used(d), d->max - d->min + 1, gdrq_distribution_distance(d),
            d->min);
    for (int c = d->min; c <= d->max; c++)
        fprintf(out, "%s%zu", c > d->min ? ", " : "", d->codes[c - d->min]);
    putc(']', out);
}

static void put_weights(FILE *out, const char *name, const inspected_layer *l,
                        const threshold_span *t, const gdrq_distribution *d) {
    fprintf(out, ",\n      \"%s\": {\"bits\": %d, \"groups\": %d, ", name,
            l->quantisation.weight_bits, l->quantisation.groups);
    put_span(out, t);
    put_distribution(out, d);
    putc('}', out);
}

static void put_input(FILE *out, const char *name, const inspected_layer *l, float threshold,
                      const gdrq_distribution *d) {
    fprintf(out, ",\n      \"%s\": {\"bits\": %d, ", name, l->quantisation.input_bits);
    put_text(out, "range", l->quantisation.input_range);
    fprintf(out, ", \"threshold\": %.9g, ", (double)threshold);
    put_distribution(out, d);
    putc('}', out);
}

static void put_layer(FILE *out, const inspected_layer *l) {
    fprintf(out, "{\"index\": %d, ", l->quantisation.layer);
    put_text(out, "type", quantised_type(&l->quantisation));
    put_weights(out, "weights", l, &l->threshold, &l->weights);
    if (l->before.n)
        put_weights(out, "before", l, &l->threshold_before, &l->before);
    if (l->input)
        put_input(out, "input", l, l->quantisation.input_threshold, l->input);
    if (l->input_before)
        put_input(out, "input_before", l, l->input_threshold_before, l->input_before);
    putc('}', out);
}

static void put_inspection(FILE *out, const inspection *in) {
    fprintf(out, "{\n  ");
    put_text(out, "cfg", in->cfg);
    fprintf(out, ",\n  ");
    put_text(out, "weights", in->weights);
    fprintf(out, ",\n  ");
    put_text(out, "before", in->before);
    fprintf(out, ",\n  \"pictures\": %d,\n  \"layers\": [", in->pictures);
    for (int i = 0; i < in->n; i++) {
        fprintf(out, "%s\n    ", i ? "," : "");
        put_layer(out, &in->layers[i]);
    }
    fprintf(out, "\n  ]\n}\n");
}

gdrq_status inspect_json_save(const inspection *in, const char *path, gdrq_error *err) {
    memory_file file;
    gdrq_status status = memory_file_open(&file, err);
    if (status != GDRQ_OK)
        return status;
    put_inspection(file.stream, in);
    status = memory_file_save(&file, path, err);
    memory_file_free(&file);
    return status;
}
