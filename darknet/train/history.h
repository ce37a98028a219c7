/* What a training has measured, row by row, in memory and in a CSV file. */
#ifndef DARKNET_TRAIN_HISTORY_H
#define DARKNET_TRAIN_HISTORY_H

#include "gdrq.h"

#include <stddef.h>
#include <sys/types.h>

typedef struct history_row {
    size_t iteration; /* counted from 1 */
    double epoch;
    gdrq_stage stage;
    double loss, average_loss, rate;
    double seconds; /* of training, summed over resumed runs */
    double metric;  /* 0..1; NAN where not measured */
} history_row;

/* Read-only for others; rows grow by iteration. */
typedef struct history {
    history_row *rows;
    size_t n, capacity;
    size_t written;    /* rows that the file holds too */
    char *metric_name; /* of the last column, e.g. "mAP@0.50"; NULL: there is none */
    char *path;
    int fd;
    off_t length; /* of the file's whole lines */
    bool torn;    /* behind them stands a part of one, which the next write cuts off */
} history;

/*
 * Opens the file at `path` for a training that starts at iteration `start`, where its weights
 * stand; metric_name may be NULL.
 *
 * start 0: a file with rows is renamed to PATH.old (an older PATH.old goes), and a new one is made.
 * start > 0: the file's rows up to `start` are kept. Later ones, which a killed run wrote
 * behind its last checkpoint, and a last line without its end are dropped.
 *
 * A file that was not written here, or that holds damaged lines or another metric, is renamed to
 * PATH.old, and a new file gets the rows that are good (without the other metric). A file with a
 * metric keeps its column where metric_name is NULL.
 *
 * GDRQ_ERROR_IO: *h is then closed. Close with history_close().
 */
gdrq_status history_open(history *h, const char *path, const char *metric_name, size_t start,
                         gdrq_error *err);

/*
 * Remembers the row, whose iteration must be behind the last one's, and appends it to the file. If
 * the file can't be written (GDRQ_ERROR_IO: a full disk) the row is remembered all the same, the
 * file holds whole lines only, and the next call writes what is missing before its own row.
 */
gdrq_status history_add(history *h, const history_row *row, gdrq_error *err);

/*
 * Gives the last row, which has none, its metric, in the file as well: what a training measures
 * that was stopped while it measured. Errors as of history_add().
 */
gdrq_status history_measured(history *h, double metric, gdrq_error *err);

/* NULL if there is no row. */
const history_row *history_last(const history *h);

/* Closes what history_open() opened; a zeroed or closed history is left as it is. */
void history_close(history *h);

#endif
