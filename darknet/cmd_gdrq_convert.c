#include "args.h"
#include "base/same_file.h"
#include "commands.h"
#include "report.h"
#include "suggest.h"
#include "task.h"

#include <stdio.h>

/* -clear: stock weights bring their count of iterations. */
static void suggest_training(const char *cfg_path) {
    const char *words[] = {"DATA", cfg_path, "STOCK.weights", "-clear"};
    suggest("train", task_training(task_of_cfg(cfg_path)), words, 4);
}

int cmd_gdrq_convert(int argc, char **argv) {
    gdrq_convert_options o = gdrq_convert_defaults();
#define BITS(option, text) \
    { .name = #option, .value_name = "N", .integer = &o.option, .min = 2, .max = 8, .help = text }
    static const char *const thresholds[] = {"scale", "search", "learned", NULL};
    const arg_flag flags[] = {
        BITS(weight_bits, "weights"),
        BITS(activation_bits, "activations"),
        BITS(first_weight_bits, "weights of the first layer, which reads 8-bit pixels"),
        BITS(head_weight_bits, "weights of the layers before yolo, region, softmax, segmentation"),
        BITS(head_activation_bits, "activations that those layers read"),
        {.name = "threshold",
         .value_name = "NAME",
         .text = &o.threshold,
         .choices = thresholds,
         .help = "write threshold=, which says how values are clipped: scale, search or learned"},
    };
#undef BITS
    const arg_spec spec = {
        .command = "gdrq convert",
        .operands = "IN.cfg OUT.cfg",
        .help = "Rewrites a stock cfg: [convolutional] and [connected] become [gdrq_convolutional] "
                "and\n[gdrq_connected] with the bits below; everything else stays as it is. A "
                ".weights file of\nthe stock network loads into the result.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    if (gdrq_same_file(operands.at[0], operands.at[1])) {
        report("gdrq convert: %s would be replaced: give the result another name", operands.at[0]);
        return 1;
    }
    if (gdrq_convert_cfg(operands.at[0], operands.at[1], &o, &err) != GDRQ_OK)
        return report_error(&err);
    printf("Wrote %s\n", operands.at[1]);
    suggest_training(operands.at[1]);
    return 0;
}
