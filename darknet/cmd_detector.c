#include "commands.h"
#include "verbs.h"

static const command verbs[] = {
    {"train", cmd_detector_train, "train a detector on labelled images"},
    {"test", cmd_detector_test, "detect objects in images and draw them"},
    {"demo", cmd_detector_demo, "detect objects in a video, live or from a file"},
    {"map", cmd_detector_map, "measure average precision on labelled images"},
    {"valid", cmd_detector_valid, "write detections for VOC's, COCO's or ImageNet's evaluation"},
    {"valid2", cmd_detector_valid2, "the same, averaged with each image's mirror image"},
    {"recall", cmd_detector_recall, "measure how many objects any box covers"},
    {"calc_anchors", cmd_detector_calc_anchors, "find anchors that fit the labelled boxes"},
};

int cmd_detector(int argc, char **argv) {
    const verb_table table = {
        .command = "detector", .verbs = verbs, .n = sizeof verbs / sizeof *verbs};
    return verb_run(&table, argc, argv);
}
