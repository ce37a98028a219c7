#include "inspect/inspect_pictures.h"

#include "base/alloc.h"
#include "base/same_file.h"
#include "base/status.h"
#include "inspect/layer_sheet.h"
#include "inspect/overview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The sheet of layers[i] or, behind the last, the overview. The caller frees it. */
static char *picture_path(const inspection *in, int i, const char *folder, gdrq_error *err) {
    const size_t size = strlen(folder) + sizeof "/layer_2147483647.png";
    char *path = gdrq_alloc(size, 1);
    if (!path)
        gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", folder);
    else if (i < in->n)
        snprintf(path, size, "%s/layer_%03d.png", folder, in->layers[i].quantisation.layer);
    else
        snprintf(path, size, "%s/overview.png", folder);
    return path;
}

gdrq_status inspect_pictures_check(const inspection *in, const char *folder,
                                   const run_inputs *inputs, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i <= in->n && status == GDRQ_OK; i++) {
        char *path = picture_path(in, i, folder, err);
        status =
            path ? output_check((const char *const *)&path, 1, inputs, err) : GDRQ_ERROR_MEMORY;
        free(path);
    }
    return status;
}

gdrq_status inspect_pictures_check_output(const inspection *in, const char *folder,
                                          const char *output, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i <= in->n && status == GDRQ_OK; i++) {
        char *path = picture_path(in, i, folder, err);
        if (!path)
            status = GDRQ_ERROR_MEMORY;
        else if (gdrq_same_file(path, output))
            status = gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                               "%s would be replaced by a picture of %s: give one of them another "
                               "name",
                               output, folder);
        free(path);
    }
    return status;
}

gdrq_status inspect_pictures_save(const inspection *in, const char *folder, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i <= in->n && status == GDRQ_OK; i++) {
        char *path = picture_path(in, i, folder, err);
        status = !path       ? GDRQ_ERROR_MEMORY
                 : i < in->n ? layer_sheet_save(in, &in->layers[i], path, err)
                             : overview_save(in, path, err);
        free(path);
    }
    return status;
}
