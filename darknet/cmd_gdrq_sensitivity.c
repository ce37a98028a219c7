#include "args.h"
#include "base/alloc.h"
#include "base/status.h"
#include "commands.h"
#include "data/folder.h"
#include "output_check.h"
#include "detect.h"
#include "image/picture.h"
#include "report.h"
#include "sensitivity/proposal.h"
#include "sensitivity/sensitivity.h"
#include "sensitivity/sensitivity_json.h"
#include "sensitivity/sensitivity_picture.h"
#include "sensitivity/sensitivity_table.h"
#include "suggest.h"
#include "task.h"
#include "train/stop.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct flags {
    const char *bits, *data, *json, *out; /* NULL: not given */
    float size, bits_mean, error;         /* 0: not given */
    bool activations;
    budget budget; /* made from the ones above */
} flags;

static gdrq_status make_budget(flags *f, bool writes_cfg, gdrq_error *err) {
    f->budget = (budget){.size = (double)f->size * 1e6,
                         .bits_mean = f->bits_mean,
                         .error = f->error,
                         .activations = f->activations};
    if ((f->size > 0) + (f->bits_mean > 0) + (f->error > 0) > 1)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "-size, -bits_mean and -error are one budget: give one of them");
    if (f->activations && !(f->error > 0))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "-activations needs -error: their bits don't change the size");
    if (writes_cfg && !budget_is_given(&f->budget))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "OUT.cfg needs a budget: -size, -bits_mean or -error");
    return GDRQ_OK;
}

/* -out and -bits, before anything is read. */
static gdrq_status check_flags(const flags *f, sensitivity *s, gdrq_error *err) {
    if (f->out && !picture_can_save(f->out))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-out: %s must end in .png, .jpg or .jpeg",
                         f->out);
    gdrq_error reason;
    const gdrq_status status = bits_read(f->bits, &s->weight_bits, &reason);
    if (status != GDRQ_OK)
        return gdrq_fail(err, status, "-bits: %s", reason.message);
    s->activation_bits = s->weight_bits;
    if (f->activations)
        s->activation_bits = bits_with(bits_with(s->activation_bits, 4), 8);
    return GDRQ_OK;
}

/* What it reads beside its operands. */
static gdrq_status check_pictures(const sensitivity *s, const arg_operands *operands,
                                  const flags *f, gdrq_error *err) {
    const char *outputs[] = {operands->at[3], f->json, f->out};
    const run_inputs inputs = {.files = (const char *const *)s->paths.at, .n = s->paths.n};
    const gdrq_status status = output_check(outputs, 3, &inputs, err);
    return status == GDRQ_OK && f->data
               ? output_check_data_file(outputs, 3, f->data, "valid", task_of(s->net), err)
               : status;
}

/* Before the work begins: what would keep its results from being written. */
static gdrq_status check_outputs(const arg_operands *operands, const flags *f, gdrq_error *err) {
    const char *outputs[] = {operands->at[3], f->json, f->out};
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < 3 && status == GDRQ_OK; i++)
        if (outputs[i])
            status = folder_check_output(outputs[i], operands->at, 3, err);
    return status == GDRQ_OK ? output_check_apart(outputs, 3, err) : status;
}

static gdrq_status write_cfg(const sensitivity *s, const proposal *p, const char *path,
                             gdrq_error *err) {
    gdrq_layer_bits *bits = gdrq_alloc((size_t)s->n, sizeof *bits);
    if (!bits)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->n);
    for (int i = 0; i < s->n; i++) {
        const sensitive_layer *l = &s->layers[i];
        const layer_bits *chosen = &p->rows[PROPOSAL_CHOSEN].bits[i];
        bits[i] = (gdrq_layer_bits){l->quantisation.layer, chosen->weights,
                                    l->reads_pixels ? 0 : chosen->activations};
    }
    const gdrq_status status = gdrq_cfg_set_bits(s->cfg, path, bits, s->n, err);
    free(bits);
    return status;
}

/* -clear: the weights bring their count of iterations. */
static void suggest_training(const sensitivity *s, const char *cfg_path) {
    const char *words[] = {s->data ? s->data : "DATA", cfg_path, s->weights, "-clear"};
    suggest("train", task_training(task_of(s->net)), words, 4);
}

static gdrq_status write_outputs(const sensitivity *s, const proposal *p, const char *cfg_path,
                                 const flags *f, gdrq_error *err) {
    gdrq_status status = f->json ? sensitivity_json_save(s, p, f->json, err) : GDRQ_OK;
    if (status == GDRQ_OK && f->json)
        printf("Wrote %s\n", f->json);
    if (status == GDRQ_OK && f->out)
        status = sensitivity_picture_save(s, p, f->out, err);
    if (status == GDRQ_OK && f->out)
        printf("Wrote %s\n", f->out);
    if (status == GDRQ_OK && cfg_path)
        status = write_cfg(s, p, cfg_path, err);
    if (status == GDRQ_OK && cfg_path) {
        printf("Wrote %s\n", cfg_path);
        suggest_training(s, cfg_path);
    }
    return status;
}

static gdrq_status measure(sensitivity *s, proposal *p, const budget *b, gdrq_error *err) {
    gdrq_status status = sensitivity_run(s, err);
    if (status == GDRQ_OK)
        status = proposal_choose(p, s, b, err);
    return status == GDRQ_OK ? proposal_measure(p, s, err) : status;
}

static gdrq_status run(sensitivity *s, const arg_operands *operands, const flags *f,
                       gdrq_error *err) {
    proposal p = {0};
    stop_watch();
    gdrq_status status = check_outputs(operands, f, err);
    if (status == GDRQ_OK)
        status = sensitivity_open(s, err);
    if (status == GDRQ_OK)
        status = check_pictures(s, operands, f, err);
    if (status == GDRQ_OK)
        status = budget_check(&f->budget, s, err);
    if (status == GDRQ_OK)
        status = measure(s, &p, &f->budget, err);
    if (status == GDRQ_OK) {
        sensitivity_table_print(s, &p);
        proposal_print(s, &p);
        status = write_outputs(s, &p, operands->at[3], f, err);
    }
    proposal_free(&p);
    sensitivity_free(s);
    return status;
}

static const char help[] =
    "Shows what the bits of each quantised layer cost: with one layer's weights, or the\n"
    "tensor that it reads, quantised and all else in float, the error of the outputs on\n"
    "IMAGES (one, a folder of them, or a file that lists them), 100*|yq-y|^2/|y|^2 in "
    "%.\n"
    "WEIGHTS may be float or trained ones; thresholds are searched. With a budget, chooses "
    "bits\nfor the weights of each layer, measures all together, and writes OUT.cfg with "
    "them.";

int cmd_gdrq_sensitivity(int argc, char **argv) {
    flags f = {.bits = "2,3,4,5,6,8"};
    const arg_flag declared[] = {
        {.name = "bits", .value_name = "LIST", .text = &f.bits, .help = "bits to try"},
        {.name = "data",
         .value_name = "FILE",
         .text = &f.data,
         .help = "a .data file: measure mAP@0.50, top-1 or mIoU on its valid= list instead"},
        {.name = "size",
         .value_name = "MB",
         .real = &f.size,
         .max = 1e6,
         .help = "budget: millions of bytes of packed weights, scales and biases; 0: none"},
        {.name = "bits_mean",
         .value_name = "N",
         .real = &f.bits_mean,
         .max = 8,
         .help = "budget: mean bits of a weight; 0: none"},
        {.name = "error",
         .value_name = "E",
         .real = &f.error,
         .max = 1e6,
         .help = "budget: the error of all layers together, with little size; 0: none"},
        {.name = "activations",
         .on = &f.activations,
         .help = "with -error: choose 4 or 8 bits for activations, too"},
        {.name = "out",
         .value_name = "FILE",
         .text = &f.out,
         .help = "draw the errors, .png or .jpg"},
        {.name = "json", .value_name = "FILE", .text = &f.json, .help = "write the numbers, too"},
    };
    const arg_spec spec = {.command = "gdrq sensitivity",
                           .operands = "CFG WEIGHTS IMAGES [OUT.cfg]",
                           .help = help,
                           .flags = declared,
                           .n_flags = sizeof declared / sizeof *declared};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    sensitivity s = {
        .cfg = operands.at[0], .weights = operands.at[1], .images = operands.at[2], .data = f.data};
    if (make_budget(&f, operands.at[3] != NULL, &err) != GDRQ_OK ||
        check_flags(&f, &s, &err) != GDRQ_OK)
        return report_usage(spec.command, &err);
    const gdrq_status status = run(&s, &operands, &f, &err);
    if (status == GDRQ_OK)
        return 0;
    report_error(&err);
    return stop_signal() ? 128 + stop_signal() : 1;
}
