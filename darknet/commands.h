/*
 * The commands. argv[0] is the first argument behind the command's name; each returns the exit
 * status.
 */
#ifndef DARKNET_COMMANDS_H
#define DARKNET_COMMANDS_H

int cmd_detector(int argc, char **argv);
int cmd_detector_train(int argc, char **argv);
int cmd_detector_test(int argc, char **argv);
int cmd_detector_demo(int argc, char **argv);
int cmd_detector_map(int argc, char **argv);
int cmd_detector_valid(int argc, char **argv);
int cmd_detector_valid2(int argc, char **argv);
int cmd_detector_recall(int argc, char **argv);
int cmd_detector_calc_anchors(int argc, char **argv);
int cmd_detect(int argc, char **argv);
int cmd_classifier(int argc, char **argv);
int cmd_classifier_train(int argc, char **argv);
int cmd_classifier_valid(int argc, char **argv);
int cmd_classifier_predict(int argc, char **argv);
int cmd_classifier_demo(int argc, char **argv);
int cmd_classify(int argc, char **argv);
int cmd_segmenter(int argc, char **argv);
int cmd_segmenter_train(int argc, char **argv);
int cmd_segmenter_valid(int argc, char **argv);
int cmd_segmenter_test(int argc, char **argv);
int cmd_segmenter_demo(int argc, char **argv);
int cmd_gdrq(int argc, char **argv);
int cmd_gdrq_convert(int argc, char **argv);
int cmd_gdrq_calibrate(int argc, char **argv);
int cmd_gdrq_fold(int argc, char **argv);
int cmd_gdrq_verify(int argc, char **argv);
int cmd_gdrq_bench(int argc, char **argv);
int cmd_gdrq_inspect(int argc, char **argv);
int cmd_gdrq_sensitivity(int argc, char **argv);

/* A command or subcommand, as tables of them list it. */
typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help; /* one line */
} command;

const command *command_find(const command *table, int n, const char *name);
/* The command whose name is least far from a wrong one. */
const command *command_nearest(const command *table, int n, const char *name);
/* Moves the first argument that is a command, if there is one, to argv[0], before flags. */
void command_bring_forward(const command *table, int n, int argc, char **argv);
void command_print(const command *table, int n);

#endif
