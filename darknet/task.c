#include "task.h"

#include "detect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

task task_of(const network *net) {
    if (is_detector(net))
        return TASK_DETECT;
    return gdrq_network_pixel_classes(net) ? TASK_SEGMENT : TASK_CLASSIFY;
}

static bool is_section(const char *line, const char *name) {
    return !strncmp(line + strspn(line, " \t"), name, strlen(name));
}

task task_of_cfg(const char *cfg_path) {
    FILE *file = fopen(cfg_path, "r");
    char *line = NULL;
    size_t size = 0;
    task found = TASK_CLASSIFY;
    while (file && getline(&line, &size, file) >= 0) {
        if (is_section(line, "[yolo]") || is_section(line, "[region]"))
            found = TASK_DETECT;
        if (is_section(line, "[segmentation]"))
            found = TASK_SEGMENT;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

const char *task_training(task t) {
    static const char *const names[] = {
        [TASK_DETECT] = "detector train",
        [TASK_CLASSIFY] = "classifier train",
        [TASK_SEGMENT] = "segmenter train",
    };
    return names[t];
}

const char *task_measuring(task t) {
    static const char *const names[] = {
        [TASK_DETECT] = "detector map",
        [TASK_CLASSIFY] = "classifier valid",
        [TASK_SEGMENT] = "segmenter valid",
    };
    return names[t];
}
