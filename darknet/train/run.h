/* A training as commands start it: what detectors, classifiers and others have in common. */
#ifndef DARKNET_TRAIN_RUN_H
#define DARKNET_TRAIN_RUN_H

#include "args.h"
#include "data/data_cfg.h"
#include "train/loop.h"

/* What the user asked for. */
typedef struct train_flags {
    int seed; /* -1, until train_flags_seed(): of the training that is resumed, or by the clock */
    bool seed_given;
    bool clear, measure, no_effect;
    float measure_epochs;
    int early_stop, save_weights;
    const char *chart;
    const char *teacher_cfg, *teacher_weights; /* of classifiers; NULL: none */
    float teacher_share, teacher_temperature;
} train_flags;

/*
 * A command that trains: `spec` lacks the flags, which it gets here, those of a teacher only if it
 * is `teachable`; `measure` as above. Returns the exit status, run()'s where there is something to
 * run.
 */
int train_command(arg_spec spec, const char *measure, bool teachable, int argc, char **argv,
                  int (*run)(const arg_operands *operands, train_flags *flags));

/* Chooses the seed. To be called before the network is parsed: the host draws the first weights. */
void train_flags_seed(train_flags *f);

/* The command that uses a trained network, to suggest it at the end. */
typedef struct train_use {
    const char *purpose; /* "measure" */
    const char *command; /* "detector map" */
    const char *operand; /* what it takes behind the weights; NULL: nothing */
} train_use;

typedef struct train_task {
    const char *command; /* "detector train" */
    train_use use;
    network *net; /* as parsed */
    const data_cfg *data;
    const char *cfg_path;
    const char *weights_path; /* NULL: from scratch */
    const char *backup;       /* the folder for results */
    loader_options samples;   /* without seed */
    train_sizes sizes;
    train_metric metric; /* used if the flags ask for it */
    teacher teacher;
} train_task;

/*
 * Loads the weights, goes on from the state beside them if there is one, and trains. Returns the
 * exit status, after an error was reported: 0, 1, or 128 + the signal that ended it.
 */
int train_run(const train_task *task, const train_flags *flags);

#endif
