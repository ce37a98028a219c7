#include "inspect/inspect_pictures.h"

#include "base/alloc.h"
#include "base/status.h"
#include "inspect/layer_sheet.h"
#include "inspect/overview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gdrq_status inspect_pictures_save(const inspection *in, const char *folder, gdrq_error *err) {
    const size_t size = strlen(folder) + sizeof "/layer_2147483647.png";
    char *path = gdrq_alloc(size, 1);
    if (!path)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", folder);
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < in->n && status == GDRQ_OK; i++) {
        snprintf(path, size, "%s/layer_%03d.png", folder, in->layers[i].quantisation.layer);
        status = layer_sheet_save(in, &in->layers[i], path, err);
    }
    snprintf(path, size, "%s/overview.png", folder);
    if (status == GDRQ_OK)
        status = overview_save(in, path, err);
    free(path);
    return status;
}
