#include "data_file.h"

#include "base/edit_distance.h"
#include "report.h"

#include <string.h>

/* Ours, and those of other Darknets, which are no mistakes. */
static const char *const known[] = {
    "backup",  "background", "classes", "difficult", "eval",  "labels", "leaves", "map", "names",
    "palette", "test",       "top",     "results",   "train", "tree",   "valid",  "void"};
enum { KNOWN = sizeof known / sizeof *known };

static bool is_known(const char *key) {
    for (int i = 0; i < KNOWN; i++)
        if (!strcmp(known[i], key))
            return true;
    return false;
}

static void note_near_miss(const data_cfg *cfg, const data_cfg_option *option) {
    gdrq_name_search search = gdrq_name_search_start(option->key);
    for (int i = 0; i < KNOWN; i++)
        gdrq_name_search_try(&search, known[i]);
    if (search.best && !data_cfg_find(cfg, search.best))
        report("%s:%d: nothing reads '%s'; did you mean '%s'?", cfg->path, option->line,
               option->key, search.best);
}

gdrq_status data_file_read(const char *path, data_cfg *cfg, gdrq_error *err) {
    const gdrq_status status = data_cfg_read(path, cfg, err);
    for (int i = 0; i < cfg->n; i++)
        if (!is_known(cfg->options[i].key))
            note_near_miss(cfg, &cfg->options[i]);
    return status;
}
