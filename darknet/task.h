/* The tasks that networks are for, each with verbs of its own: told by a network's last layers. */
#ifndef DARKNET_TASK_H
#define DARKNET_TASK_H

#include "darknet.h"

typedef enum task { TASK_DETECT, TASK_CLASSIFY, TASK_SEGMENT } task;

/* Whatever is no detector (is_detector()) and gives pixels no class is taken for a classifier. */
task task_of(const network *net);

/* The same of a cfg that need not be good, by the names of its sections. */
task task_of_cfg(const char *cfg_path);

/* "detector train" and the like; measuring is "detector map". */
const char *task_training(task t);
const char *task_measuring(task t);

#endif
