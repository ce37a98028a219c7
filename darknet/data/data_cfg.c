#include "data/data_cfg.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20 };

static void strip_end(char *text) {
    size_t n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        text[--n] = '\0';
}

/* Splits the line in place; its ends are trimmed already. */
static gdrq_status parse_option(const char *path, int number, char *line, data_cfg_option *option,
                                gdrq_error *err) {
    char *equals = strchr(line, '=');
    if (!equals)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s:%d: expected 'key = value', found '%.60s'",
                         path, number, line);
    *equals = '\0';
    strip_end(line);
    char *value = equals + 1;
    value += strspn(value, " \t");
    if (!*line)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s:%d: no key before '= %.60s'", path, number,
                         value);
    if (!*value)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s:%d: no value for '%.60s'", path, number, line);
    if (strlen(value) > TEXT_LONGEST_PATH)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s:%d: the value of '%.60s' is longer than %d bytes", path, number, line,
                         TEXT_LONGEST_PATH);
    *option = (data_cfg_option){.key = line, .value = value, .line = number};
    return GDRQ_OK;
}

static gdrq_status parse_lines(data_cfg *cfg, gdrq_error *err) {
    for (int i = 0; i < cfg->text.n; ++i) {
        char *line = cfg->text.lines[i];
        if (!*line || *line == '#' || *line == ';')
            continue;
        const gdrq_status status = parse_option(cfg->path, i + 1, line, &cfg->options[cfg->n], err);
        if (status != GDRQ_OK)
            return status;
        ++cfg->n;
    }
    return GDRQ_OK;
}

gdrq_status data_cfg_read(const char *path, data_cfg *cfg, gdrq_error *err) {
    *cfg = (data_cfg){0};
    gdrq_status status = text_lines_read(path, MOST_BYTES, &cfg->text, err);
    if (status != GDRQ_OK)
        return status;
    cfg->path = gdrq_strdup(path);
    cfg->options = gdrq_alloc((size_t)cfg->text.n, sizeof *cfg->options);
    if (cfg->path && cfg->options)
        status = parse_lines(cfg, err);
    else
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    if (status != GDRQ_OK)
        data_cfg_free(cfg);
    return status;
}

void data_cfg_free(data_cfg *cfg) {
    free(cfg->options);
    free(cfg->path);
    text_lines_free(&cfg->text);
    *cfg = (data_cfg){0};
}

static const data_cfg_option *find_option(const data_cfg *cfg, const char *key) {
    for (int i = 0; i < cfg->n; ++i)
        if (strcmp(cfg->options[i].key, key) == 0)
            return &cfg->options[i];
    return NULL;
}

const char *data_cfg_find(const data_cfg *cfg, const char *key) {
    const data_cfg_option *option = find_option(cfg, key);
    return option ? option->value : NULL;
}

gdrq_status data_cfg_require(const data_cfg *cfg, const char *key, const char **value,
                             gdrq_error *err) {
    *value = data_cfg_find(cfg, key);
    if (*value)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: the key '%s' is missing: add a line '%s = ...'",
                     cfg->path, key, key);
}

gdrq_status data_cfg_find_int(const data_cfg *cfg, const char *key, int min, int max, int *value,
                              gdrq_error *err) {
    const data_cfg_option *option = find_option(cfg, key);
    if (!option || text_to_int(option->value, min, max, value))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s:%d: %s = %.60s: not a whole number in %d..%d",
                     cfg->path, option->line, key, option->value, min, max);
}

gdrq_status data_cfg_require_int(const data_cfg *cfg, const char *key, int min, int max, int *value,
                                 gdrq_error *err) {
    const char *text;
    const gdrq_status status = data_cfg_require(cfg, key, &text, err);
    return status == GDRQ_OK ? data_cfg_find_int(cfg, key, min, max, value, err) : status;
}
