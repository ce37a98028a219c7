#include "train/stage.h"

#include <string.h>

static const char *const names[] = {
    [GDRQ_STAGE_FLOAT] = "float",
    [GDRQ_STAGE_RESHAPE] = "reshape",
    [GDRQ_STAGE_QUANTISE] = "quantise",
};

const char *stage_name(gdrq_stage stage) {
    return names[stage];
}

bool stage_find(const char *name, gdrq_stage *stage) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name)) {
            *stage = (gdrq_stage)i;
            return true;
        }
    return false;
}
