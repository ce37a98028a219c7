/*
 * Knowledge distillation for classifiers (Hinton, Vinyals and Dean, arXiv 1503.02531): the truth of
 * a sample is, for a share, what a trained network, the teacher, makes of it. How likely that finds
 * each class tells a network of few bits more than the one class of the label, the more so at a
 * higher temperature of softmax, where the teacher isn't all but certain.
 */
#ifndef DARKNET_TRAIN_TEACHER_H
#define DARKNET_TRAIN_TEACHER_H

#include "darknet.h"
#include "gdrq.h"
#include "train/loader.h"

typedef struct teacher {
    network *net;      /* borrowed, trained; NULL: none */
    float share;       /* of its outputs in the truth, the label's is the rest: 0..1 */
    float temperature; /* times that of [softmax], of both networks; which class is first stays */
} teacher;

/*
 * Whether the teacher of `cfg_path` can teach a network: both must end in [softmax] without a tree,
 * with as many classes. Sets the temperature of the teacher and of all `students`, which are alike,
 * and the teacher's batch so that it divides the `images` of a step.
 */
gdrq_status teacher_prepare(const teacher *t, const char *cfg_path, network *const *students, int n,
                            int images, gdrq_error *err);

/* Mixes the teacher's outputs into the truth of the batch. The teacher gets its size. */
gdrq_status teacher_teach(const teacher *t, const loader_batch *batch, gdrq_error *err);

#endif
