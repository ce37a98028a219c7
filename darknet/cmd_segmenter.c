#include "commands.h"
#include "verbs.h"

static const command verbs[] = {
    {"train", cmd_segmenter_train, "train a network that gives every pixel a class"},
    {"valid", cmd_segmenter_valid, "measure mean IoU and pixel accuracy"},
    {"test", cmd_segmenter_test, "find the classes of pictures' pixels and draw them"},
    {"demo", cmd_segmenter_demo, "find the classes of a video's pixels, live or from a file"},
};

int cmd_segmenter(int argc, char **argv) {
    const verb_table table = {
        .command = "segmenter", .verbs = verbs, .n = sizeof verbs / sizeof *verbs};
    return verb_run(&table, argc, argv);
}
