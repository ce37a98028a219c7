#include "args.h"
#include "commands.h"
#include "report.h"
#include "stock_path.h"
#include "tester.h"

#include <stdlib.h>

#define IMAGE_HELP                                                                             \
    "IMAGE is a picture, a folder of pictures or a text file (.txt) that lists them, one per " \
    "line.\n"                                                                                  \
    "Without it, names are asked for until the input ends: a list can be piped in.\n"          \
    "One picture is drawn to OUT.jpg; of several, each to OUT_NUMBER_NAME.jpg. With "          \
    "-save_labels\n"                                                                           \
    "or a .json name for -out, pictures are drawn only if -prefix (or -out) names them."

/* The first operand is DATA; with `shortcut` it is left out and is upstream's cfg/coco.data. */
static int test_command(const char *name, const char *operand_names, const char *help,
                        bool shortcut, int argc, char **argv) {
    test_options o = {.thresh = .5f, .hier = .5f};
    bool no_effect;
    const arg_flag flags[] = {
        {.name = "thresh",
         .value_name = "P",
         .real = &o.thresh,
         .max = 1,
         .help = "score above which an object is shown"},
        {.name = "hier",
         .value_name = "P",
         .real = &o.hier,
         .max = 1,
         .help = "the same for going down a tree of classes"},
        {.name = "out",
         .value_name = "FILE",
         .text = &o.out,
         .help = "a .jpg or .png (predictions.jpg), or a .json for all results"},
        {.name = "prefix",
         .value_name = "P",
         .text = &o.prefix,
         .help = "draw each picture to P_NUMBER_NAME.jpg, a single one, too"},
        {.name = "save_labels",
         .on = &o.save_labels,
         .help = "write a label file for each picture, as training reads them"},
        {.name = "force", .on = &o.force, .help = "let -save_labels replace label files"},
        {.name = "ext_output", .on = &o.ext_output, .help = "print boxes, too, in pixels"},
        {.name = "benchmark",
         .on = &o.benchmark,
         .help = "only measure: repeat each picture for 3 seconds, write nothing"},
        {.name = "letter_box",
         .on = &no_effect,
         .help = "no effect: pictures always keep their proportions"},
        {.name = "fullscreen", .on = &no_effect, .help = "no effect: no window is ever opened"},
    };
    const arg_spec spec = {.command = name,
                           .operands = operand_names,
                           .help = help,
                           .flags = flags,
                           .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    if (!shortcut)
        return test_run(operands.at[0], operands.at[1], operands.at[2], operands.at[3], &o);
    char *data = stock_path("cfg/coco.data");
    if (!data) {
        report("out of memory");
        return 1;
    }
    const int status = test_run(data, operands.at[0], operands.at[1], operands.at[2], &o);
    free(data);
    return status;
}

int cmd_detector_test(int argc, char **argv) {
    return test_command(
        "detector test", "DATA CFG WEIGHTS [IMAGE]",
        "Detects objects in pictures, prints them and draws their boxes.\n" IMAGE_HELP, false, argc,
        argv);
}

int cmd_detect(int argc, char **argv) {
    return test_command("detect", "CFG WEIGHTS [IMAGE]",
                        "detector test with cfg/coco.data or, where there is none, Debian's\n"
                        "/usr/share/darknet/cfg/coco.data. A names= file that is not there is "
                        "looked for in\n/usr/share/darknet.\n" IMAGE_HELP,
                        true, argc, argv);
}
