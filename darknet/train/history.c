#include "train/history.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/write_all.h"
#include "train/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char fixed_columns[] = "iteration,epoch,stage,loss,average_loss,learning_rate,seconds";

enum {
    N_FIELDS = 8, /* with the metric */
    LINE_SIZE = 256,
};

/* What reading an existing file found. */
typedef struct found {
    bool set_aside; /* it holds something that the new file will not hold */
    bool rewrite;   /* it does not hold exactly h->rows */
} found;

/* Numbers have a decimal point whatever locale the program runs in. */
static locale_t enter_c_locale(locale_t *c) {
    *c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    return uselocale(*c);
}

static void leave_c_locale(locale_t previous, locale_t c) {
    uselocale(previous);
    if (c)
        freelocale(c);
}

/* The shortest decimal number that reads back as the same double. */
static void print_number(double value, char text[32]) {
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

static int print_row(const history *h, const history_row *r, char line[LINE_SIZE]) {
    const double values[] = {r->loss, r->average_loss, r->rate, r->seconds};
    char epoch[32], number[4][32], metric[33] = "";
    print_number(r->epoch, epoch);
    for (int i = 0; i < 4; i++)
        print_number(values[i], number[i]);
    if (h->metric_name) {
        metric[0] = ',';
        if (!isnan(r->metric))
            print_number(r->metric, metric + 1);
    }
    return snprintf(line, LINE_SIZE, "%zu,%s,%s,%s,%s,%s,%s%s\n", r->iteration, epoch,
                    stage_name(r->stage), number[0], number[1], number[2], number[3], metric);
}

static bool parse_number(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end;
}

static bool parse_iteration(const char *text, size_t *value) {
    char *end;
    errno = 0;
    *value = (size_t)strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && errno == 0;
}

/* Cuts the line, which has n bytes, at its commas; false if that does not give `count` fields. */
static bool split_fields(char *line, size_t n, int count, char *fields[N_FIELDS]) {
    if (strlen(line) != n)
        return false;
    for (int i = 0; i < count; i++) {
        fields[i] = line;
        line += strcspn(line, ",");
        if (!*line != (i + 1 == count))
            return false;
        *line++ = '\0';
    }
    return true;
}

static bool parse_row(char *line, size_t n, bool with_metric, history_row *r) {
    char *f[N_FIELDS];
    *r = (history_row){.metric = NAN};
    return split_fields(line, n, with_metric ? N_FIELDS : N_FIELDS - 1, f) &&
           parse_iteration(f[0], &r->iteration) && parse_number(f[1], &r->epoch) &&
           stage_find(f[2], &r->stage) && parse_number(f[3], &r->loss) &&
           parse_number(f[4], &r->average_loss) && parse_number(f[5], &r->rate) &&
           parse_number(f[6], &r->seconds) &&
           (!with_metric || !*f[7] || parse_number(f[7], &r->metric));
}

static bool follows(const history *h, const history_row *r) {
    return h->n ? r->iteration > h->rows[h->n - 1].iteration : r->iteration > 0;
}

static gdrq_status remember(history *h, const history_row *r, gdrq_error *err) {
    if (h->n == h->capacity) {
        const size_t capacity = h->capacity ? 2 * h->capacity : 1024;
        history_row *grown = gdrq_realloc(h->rows, capacity, sizeof *grown);
        if (!grown)
            return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", h->path);
        h->rows = grown;
        h->capacity = capacity;
    }
    h->rows[h->n++] = *r;
    return GDRQ_OK;
}

/* The next line without its end; false where the file ends, or its last line has no end (*torn). */
static bool next_line(FILE *file, char **line, size_t *size, size_t *n, bool *torn) {
    const ssize_t length = getline(line, size, file);
    *torn = length > 0 && (*line)[length - 1] != '\n';
    if (length <= 0 || *torn)
        return false;
    *n = (size_t)length - 1;
    (*line)[*n] = '\0';
    return true;
}

/* Whether the file's first line is ours; *metric is then the metric's name in it, or NULL. */
static bool parse_header(char *line, size_t n, char **metric) {
    const size_t fixed = sizeof fixed_columns - 1;
    if (strlen(line) != n || strncmp(line, fixed_columns, fixed) != 0 ||
        (line[fixed] && (line[fixed] != ',' || !line[fixed + 1] || strchr(line + fixed + 1, ','))))
        return false;
    *metric = line[fixed] ? line + fixed + 1 : NULL;
    return true;
}

/* Compares the file's metric with the asked one and takes the file's where none is asked. */
static gdrq_status meet_metric(history *h, const char *metric, found *what, gdrq_error *err) {
    if (!h->metric_name && metric && !(h->metric_name = gdrq_strdup(metric)))
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", h->path);
    what->rewrite |= !metric && h->metric_name;
    what->set_aside |= metric && strcmp(metric, h->metric_name) != 0;
    return GDRQ_OK;
}

static gdrq_status read_lines(history *h, FILE *file, char **line, size_t start, found *what,
                              gdrq_error *err) {
    size_t size = 0, n;
    char *metric;
    bool torn;
    if (!next_line(file, line, &size, &n, &torn)) {
        what->rewrite = true;
        what->set_aside = torn;
        return GDRQ_OK;
    }
    if (!parse_header(*line, n, &metric)) {
        what->set_aside = true;
        return GDRQ_OK;
    }
    const bool with_metric = metric;
    gdrq_status status = meet_metric(h, metric, what, err);
    const bool other_metric = what->set_aside;
    while (status == GDRQ_OK && next_line(file, line, &size, &n, &torn)) {
        history_row row;
        if (!parse_row(*line, n, with_metric, &row) || !follows(h, &row)) {
            what->set_aside = true;
        } else if (row.iteration > start) {
            what->rewrite = true;
        } else {
            row.metric = other_metric ? NAN : row.metric;
            status = remember(h, &row, err);
        }
    }
    what->rewrite |= torn;
    return status;
}

static gdrq_status read_file(history *h, size_t start, found *what, gdrq_error *err) {
    FILE *file = fopen(h->path, "re");
    if (!file)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read the training's history",
                               h->path);
    char *line = NULL;
    gdrq_status status = read_lines(h, file, &line, start, what, err);
    if (status == GDRQ_OK && ferror(file))
        status =
            gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read the training's history", h->path);
    free(line);
    fclose(file);
    return status;
}

/* Whether the file is more than a header: a training that ended at once leaves nothing to keep. */
static gdrq_status look_for_rows(const history *h, bool *has_rows, gdrq_error *err) {
    FILE *file = fopen(h->path, "re");
    if (!file)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read the training's history",
                               h->path);
    char *line = NULL, *metric;
    size_t size = 0, n;
    bool torn;
    *has_rows = !next_line(file, &line, &size, &n, &torn) || !parse_header(line, n, &metric) ||
                next_line(file, &line, &size, &n, &torn) || torn;
    free(line);
    fclose(file);
    return GDRQ_OK;
}

static gdrq_status set_aside(const history *h, gdrq_error *err) {
    char *old = gdrq_alloc(strlen(h->path) + sizeof ".old", 1);
    if (!old)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", h->path);
    sprintf(old, "%s.old", h->path);
    gdrq_status status = GDRQ_OK;
    if (rename(h->path, old) != 0)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't rename it to %s", h->path, old);
    free(old);
    return status;
}

/* The header and all rows; a gdrq_write_fn. */
static gdrq_status write_whole(void *user, int fd, gdrq_error *err) {
    const history *h = user;
    char line[LINE_SIZE];
    const int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* fclose() closes it */
    FILE *file = own_fd >= 0 ? fdopen(own_fd, "w") : NULL;
    if (!file) {
        const gdrq_status status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", h->path);
        if (own_fd >= 0)
            close(own_fd);
        return status;
    }
    fprintf(file, "%s%s%s\n", fixed_columns, h->metric_name ? "," : "",
            h->metric_name ? h->metric_name : "");
    for (size_t i = 0; i < h->n; i++) {
        print_row(h, &h->rows[i], line);
        fputs(line, file);
    }
    const bool failed = ferror(file);
    if (fclose(file) != 0 || failed)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", h->path);
    return GDRQ_OK;
}

static gdrq_status open_for_append(history *h, gdrq_error *err) {
    struct stat st;
    h->fd = open(h->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (h->fd < 0 || fstat(h->fd, &st) != 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open for writing", h->path);
    h->length = st.st_size;
    h->written = h->n;
    return GDRQ_OK;
}

/* Reads, sets aside and rewrites as the file and `start` ask for. */
static gdrq_status prepare_file(history *h, size_t start, gdrq_error *err) {
    struct stat st;
    found what = {0};
    gdrq_status status = GDRQ_OK;
    if (stat(h->path, &st) != 0) {
        if (errno != ENOENT)
            return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open", h->path);
        what.rewrite = true;
    } else if (!S_ISREG(st.st_mode)) {
        return gdrq_fail(err, GDRQ_ERROR_IO,
                         "%s: not a regular file; the training's history goes there", h->path);
    } else if (start == 0) {
        what.rewrite = true;
        status = look_for_rows(h, &what.set_aside, err);
    } else {
        status = read_file(h, start, &what, err);
    }
    if (status == GDRQ_OK && what.set_aside)
        status = set_aside(h, err);
    if (status == GDRQ_OK && (what.set_aside || what.rewrite))
        status = gdrq_write_atomically(h->path, write_whole, h, err);
    return status == GDRQ_OK ? open_for_append(h, err) : status;
}

gdrq_status history_open(history *h, const char *path, const char *metric_name, size_t start,
                         gdrq_error *err) {
    *h = (history){.fd = -1};
    if (metric_name && (!*metric_name || strpbrk(metric_name, ",\"\r\n")))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "'%s' can't be a column's name in %s",
                         metric_name, path);
    h->path = gdrq_strdup(path);
    h->metric_name = metric_name ? gdrq_strdup(metric_name) : NULL;
    gdrq_status status;
    if (!h->path || (metric_name && !h->metric_name)) {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    } else {
        locale_t c;
        const locale_t previous = enter_c_locale(&c);
        status = prepare_file(h, start, err);
        leave_c_locale(previous, c);
    }
    if (status != GDRQ_OK)
        history_close(h);
    return status;
}

/* What an earlier failure left behind the whole lines. */
static bool cut_torn_line(history *h) {
    if (h->torn)
        h->torn = ftruncate(h->fd, h->length) != 0;
    return !h->torn;
}

static bool append_row(history *h, const history_row *r) {
    char line[LINE_SIZE];
    const int n = print_row(h, r, line);
    if (!cut_torn_line(h))
        return false;
    if (!gdrq_write_all(h->fd, line, (size_t)n)) {
        const int reason = errno;
        h->torn = true;
        cut_torn_line(h);
        errno = reason;
        return false;
    }
    h->length += n;
    return true;
}

gdrq_status history_add(history *h, const history_row *row, gdrq_error *err) {
    if (!follows(h, row))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "%s: iteration %zu does not follow iteration %zu", h->path, row->iteration,
                         h->n ? h->rows[h->n - 1].iteration : 0);
    gdrq_status status = remember(h, row, err);
    locale_t c;
    const locale_t previous = enter_c_locale(&c);
    while (status == GDRQ_OK && h->written < h->n) {
        if (append_row(h, &h->rows[h->written]))
            h->written++;
        else
            status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write the training's history",
                                     h->path);
    }
    leave_c_locale(previous, c);
    return status;
}

gdrq_status history_measured(history *h, double metric, gdrq_error *err) {
    h->rows[h->n - 1].metric = metric;
    locale_t c;
    const locale_t previous = enter_c_locale(&c);
    gdrq_status status = gdrq_write_atomically(h->path, write_whole, h, err);
    leave_c_locale(previous, c);
    if (status != GDRQ_OK)
        return status;
    close(h->fd); /* of the file that was replaced */
    h->torn = false;
    return open_for_append(h, err);
}

const history_row *history_last(const history *h) {
    return h->n ? &h->rows[h->n - 1] : NULL;
}

void history_close(history *h) {
    if (h->path && h->fd >= 0)
        close(h->fd);
    free(h->rows);
    free(h->metric_name);
    free(h->path);
    *h = (history){.fd = -1};
}
