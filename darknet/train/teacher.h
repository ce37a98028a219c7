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
    network *net;         /* borrowed, trained; NULL: none */
    const char *cfg_path; /* its cfg, for messages */
    float share;          /* of its outputs in the truth, the label's is the rest: 0..1 */
    float temperature; /* times that of [softmax], of both networks; which class is first stays */
} teacher;

/*
 * Whether it can teach a network, whose truth has one number per class: both must end in [softmax]
 * without a tree, with as many classes at the network's size, which the teacher gets. Sets the
 * temperature of the teacher and of all `students`, which are alike, and the teacher's batch so
 * that it divides the `images` of a step.
 */
gdrq_status teacher_prepare(const teacher *t, network *const *students, int n, int images,
                            gdrq_error *err);

/* The teacher gets a size that it will teach at; fails if it can't, or has other outputs then. */
gdrq_status teacher_resize(const teacher *t, int w, int h, int classes, gdrq_error *err);

/* Mixes the teacher's outputs into the truth of a batch, which has a number per class and image. */
gdrq_status teacher_teach(const teacher *t, const loader_batch *batch, int classes,
                          gdrq_error *err);

#endif
