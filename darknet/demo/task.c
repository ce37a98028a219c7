#include "demo/task.h"

gdrq_status demo_task_opened(gdrq_status status, const demo_task *functions, const network *net,
                             demo_task *opened, demo_task **task) {
    if (status != GDRQ_OK) {
        functions->free(opened);
        return status;
    }
    *opened = *functions;
    opened->w = net->w;
    opened->h = net->h;
    *task = opened;
    return GDRQ_OK;
}
