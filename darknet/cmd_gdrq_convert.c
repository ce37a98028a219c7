#include "args.h"
#include "commands.h"
#include "report.h"

#include <stdio.h>

int cmd_gdrq_convert(int argc, char **argv) {
    gdrq_convert_options o = gdrq_convert_defaults();
#define BITS(option, text) \
    { .name = #option, .value_name = "N", .integer = &o.option, .min = 2, .max = 8, .help = text }
    const arg_flag flags[] = {
        BITS(weight_bits, "weights"),
        BITS(activation_bits, "activations"),
        BITS(first_weight_bits, "weights of the first layer, which reads 8-bit pixels"),
        BITS(head_weight_bits, "weights of the layers before yolo, region and softmax"),
        BITS(head_activation_bits, "activations that those layers read"),
    };
#undef BITS
    const arg_spec spec = {
        .command = "gdrq convert",
        .operands = "IN.cfg OUT.cfg",
        .help = "Rewrites a stock cfg: [convolutional] becomes [gdrq_convolutional] with the bits "
                "below;\neverything else stays as it is. A .weights file of the stock network "
                "loads into the result.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    if (gdrq_convert_cfg(operands.at[0], operands.at[1], &o, &err) != GDRQ_OK)
        return report_error(&err);
    printf("Wrote %s\n", operands.at[1]);
    return 0;
}
