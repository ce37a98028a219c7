#include "train/checkpoints.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* As mkdir -p. */
static gdrq_status make_folder(const char *folder, gdrq_error *err) {
    char *path = gdrq_strdup(folder);
    if (!path)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", folder);
    gdrq_status status = GDRQ_OK;
    for (char *end = path + 1; status == GDRQ_OK; end++) {
        end += strcspn(end, "/");
        const bool whole = !*end;
        *end = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't make the backup folder", path);
        if (whole)
            break;
        *end = '/';
    }
    free(path);
    return status;
}

/* Whether files can be made there: permissions alone don't tell (read-only mounts, /proc). */
static gdrq_status probe(const char *folder, gdrq_error *err) {
    char *name = gdrq_alloc(strlen(folder) + sizeof "/.probe-XXXXXX", 1);
    if (!name)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", folder);
    sprintf(name, "%s/.probe-XXXXXX", folder);
    const int fd = mkstemp(name);
    gdrq_status status = GDRQ_OK;
    if (fd < 0)
        status =
            gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write into the backup folder", folder);
    else
        close(fd), unlink(name);
    free(name);
    return status;
}

static gdrq_status check_writable(const char *folder, gdrq_error *err) {
    struct stat st;
    if (stat(folder, &st) != 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't use as backup folder", folder);
    if (!S_ISDIR(st.st_mode))
        return gdrq_fail(err, GDRQ_ERROR_IO, "%s: the backup folder is a file", folder);
    return probe(folder, err);
}

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

gdrq_status checkpoints_open(checkpoints *c, const char *folder, const char *cfg_path,
                             gdrq_error *err) {
    *c = (checkpoints){0};
    gdrq_status status = make_folder(folder, err);
    if (status == GDRQ_OK)
        status = check_writable(folder, err);
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
        return GDRQ_OK;
    checkpoints_close(c);
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", folder);
}

char *checkpoints_milestone(const checkpoints *c, size_t iteration) {
    char suffix[40];
    snprintf(suffix, sizeof suffix, "_%zu.weights", iteration);
    return with_suffix(c->stem, suffix);
}

void checkpoints_close(checkpoints *c) {
    char *const owned[] = {c->last, c->last_state, c->best, c->final, c->log, c->chart, c->stem};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    *c = (checkpoints){0};
}
