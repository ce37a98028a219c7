#include "sensitivity/sensitivity_json.h"

#include "quantised_network.h"
#include "results/json_text.h"
#include "results/memory_file.h"
#include "sensitivity/metric.h"

#include <math.h>

static void put_named(FILE *out, const char *name, const char *text) {
    fprintf(out, "\"%s\": ", name);
    json_put_string(out, text);
    fputs(", ", out);
}

static void put_number(FILE *out, const char *name, double value) {
    if (isfinite(value))
        fprintf(out, "\"%s\": %.9g", name, value);
    else
        fprintf(out, "\"%s\": null", name);
}

/* By bits: {"2": 1.5, "8": 0.1} */
static void put_errors(FILE *out, const char *name, bit_set set, const double *errors) {
    const char *comma = "";
    fprintf(out, ", \"%s\": {", name);
    for (int b = BITS_FIRST; b < BITS_END; b++) {
        char key[8];
        if (!bits_has(set, b))
            continue;
        snprintf(key, sizeof key, "%d", b);
        fputs(comma, out);
        put_number(out, key, errors[b]);
        comma = ", ";
    }
    putc('}', out);
}

static void put_layer(FILE *out, const sensitivity *s, const sensitive_layer *l) {
    const gdrq_quantisation *q = &l->quantisation;
    fprintf(out, "{\"index\": %d, ", q->layer);
    put_named(out, "type", quantised_type(q));
    put_named(out, "shape", l->shape);
    fprintf(out, "\"weights\": %zu, \"macs\": %.0f, \"weight_bits\": %d, \"activation_bits\": %d",
            sensitive_layer_weights(l), l->macs, q->weight_bits, q->input_bits);
    fprintf(out, ", \"input_reader\": %d", q->input_reader);
    put_errors(out, "weight_errors", s->weight_bits, l->weight_errors);
    if (l->has_tensor)
        put_errors(out, "activation_errors", s->activation_bits, l->activation_errors);
    putc('}', out);
}

static void put_row(FILE *out, const sensitivity *s, const proposal_row *r) {
    fputs("\n    {", out);
    put_named(out, "name", r->name);
    fprintf(out, "\"bytes\": %.0f, \"mean_bits\": %.9g, ", r->bytes, r->mean_bits);
    put_number(out, "predicted", r->predicted);
    fputs(", ", out);
    put_number(out, "measured", r->measured);
    fputs(",\n     \"bits\": [", out);
    for (int i = 0; i < s->n; i++)
        fprintf(out, "%s[%d, %d]", i ? ", " : "", r->bits[i].weights, r->bits[i].activations);
    fputs("]}", out);
}

static void put_all(FILE *out, const sensitivity *s, const proposal *p) {
    fputs("{\n  ", out);
    put_named(out, "cfg", s->cfg);
    put_named(out, "weights", s->weights);
    put_named(out, "metric", s->metric ? metric_name(s->metric) : "output error");
    put_named(out, "unit", sensitivity_unit(s));
    if (s->metric)
        fprintf(out, "\"float\": %.9g, \"images\": %d, ", s->float_points,
                metric_images(s->metric));
    fprintf(out, "\"pictures\": %d,\n  \"layers\": [", s->paths.n);
    for (int i = 0; i < s->n; i++) {
        fputs(i ? ",\n    " : "\n    ", out);
        put_layer(out, s, &s->layers[i]);
    }
    fputs("\n  ],\n  \"choices\": [", out);
    for (int k = 0; k < p->n; k++) {
        fputs(k ? "," : "", out);
        put_row(out, s, &p->rows[k]);
    }
    fputs("\n  ]\n}\n", out);
}

gdrq_status sensitivity_json_save(const sensitivity *s, const proposal *p, const char *path,
                                  gdrq_error *err) {
    memory_file file;
    gdrq_status status = memory_file_open(&file, err);
    if (status != GDRQ_OK)
        return status;
    put_all(file.stream, s, p);
    status = memory_file_save(&file, path, err);
    memory_file_free(&file);
    return status;
}
