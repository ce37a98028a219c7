#include "train/checkpoints.h"

#include "base/alloc.h"
#include "base/status.h"
#include "data/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "folder/BASE"; NULL when memory is out. */
static char *stem_of(const char *folder, const char *cfg_path) {
    const char *slash = strrchr(cfg_path, '/');
    const char *name = slash ? slash + 1 : cfg_path;
    const char *dot = strrchr(name, '.');
    const int length = (int)(dot && dot > name ? dot - name : (long)strlen(name));
    const size_t size = strlen(folder) + strlen(name) + sizeof "/";
    char *stem = gdrq_alloc(size, 1);
    if (stem)
        snprintf(stem, size, "%s/%.*s", folder, length, name);
    return stem;
}

static char *with_suffix(const char *stem, const char *suffix) {
    const size_t size = strlen(stem) + strlen(suffix) + 1;
    char *path = gdrq_alloc(size, 1);
    if (path)
        snprintf(path, size, "%s%s", stem, suffix);
    return path;
}

/* A folder of such a name would be found out by the first save, or by the last. */
static gdrq_status check_files(const checkpoints *c, gdrq_error *err) {
    const char *const paths[] = {c->last, c->last_state, c->best, c->final, c->log, c->chart};
    gdrq_status status = GDRQ_OK;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && status == GDRQ_OK; i++)
        status = folder_check_file(paths[i], err);
    return status;
}

gdrq_status checkpoints_open(checkpoints *c, const char *folder, const char *cfg_path,
                             gdrq_error *err) {
    *c = (checkpoints){0};
    gdrq_status status = folder_prepare(folder, "backup folder", err);
    if (status != GDRQ_OK)
        return status;
    c->stem = stem_of(folder, cfg_path);
    if (c->stem) {
        c->last = with_suffix(c->stem, "_last.weights");
        c->last_state = with_suffix(c->stem, "_last.state");
        c->best = with_suffix(c->stem, "_best.weights");
        c->final = with_suffix(c->stem, "_final.weights");
        c->log = with_suffix(c->stem, ".csv");
        c->chart = with_suffix(c->stem, ".png");
    }
    if (c->stem && c->last && c->last_state && c->best && c->final && c->log && c->chart)
        status = check_files(c, err);
    else
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", folder);
    if (status != GDRQ_OK)
        checkpoints_close(c);
    return status;
}

char *checkpoints_milestone(const checkpoints *c, size_t iteration) {
    char suffix[40];
    snprintf(suffix, sizeof suffix, "_%zu.weights", iteration);
    return with_suffix(c->stem, suffix);
}

char *checkpoints_old(const char *path) {
    return with_suffix(path, ".old");
}

void checkpoints_close(checkpoints *c) {
    char *const owned[] = {c->last, c->last_state, c->best, c->final, c->log, c->chart, c->stem};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    *c = (checkpoints){0};
}
