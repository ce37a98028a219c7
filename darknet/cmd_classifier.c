#include "commands.h"
#include "verbs.h"

static const command verbs[] = {
    {"train", cmd_classifier_train, "train a classifier on images whose paths name their class"},
    {"valid", cmd_classifier_valid, "measure top-1 and top-k accuracy"},
    {"predict", cmd_classifier_predict, "tell the likeliest classes of images"},
    {"demo", cmd_classifier_demo, "tell the likeliest classes in a video, live or from a file"},
};

static const char *const stock_verbs[] = {"try",       "test",      "valid10", "validmulti",
                                          "validcrop", "validfull", "label",   "csv",
                                          "fout",      "gun",       "threat"};

int cmd_classifier(int argc, char **argv) {
    const verb_table table = {.command = "classifier",
                              .verbs = verbs,
                              .n = sizeof verbs / sizeof *verbs,
                              .stock = stock_verbs,
                              .n_stock = sizeof stock_verbs / sizeof *stock_verbs};
    return verb_run(&table, argc, argv);
}
