/* The numbers of a history as a chart needs them: ranges, curves in pixels, the places of events.
 */
#ifndef DARKNET_TRAIN_CHART_SERIES_H
#define DARKNET_TRAIN_CHART_SERIES_H

#include "image/axis.h"
#include "image/canvas.h"
#include "train/history.h"

typedef enum chart_series {
    CHART_LOSS,
    CHART_AVERAGE,
    CHART_METRIC,
    CHART_N_SERIES,
} chart_series;

/* NAN if the value is not finite, or larger than any that can be drawn. */
double chart_value(const history_row *row, chart_series series);

/* The first row with the highest finite metric; NULL if none was measured. */
const history_row *chart_best(const history *h);

/* From the first iteration worth showing to last_iteration, or to less while little is done. */
axis chart_iterations(const history *h, size_t last_iteration, int most_ticks);

/* Of losses and averages, with some room at both ends. */
axis chart_losses(const history *h, int most_ticks);

/* Points that chart_curve() may write for axes `x`, whose begin and end are set. */
int chart_most_points(const axis *x);

/*
 * The curve from left to right. Rows that share a column of pixels give at most four points: the
 * first, the lowest, the highest and the last, so that it looks as if all were drawn. The average
 * gives their mean instead: of many rows it would be a band as well. Returns the number of points.
 */
int chart_curve(const history *h, chart_series series, const axis *x, const axis *y,
                canvas_point *points);

/* Whether the rate steps down or up at row i: it stood still before, and does so again after. */
bool chart_rate_steps(const history *h, size_t i);

#endif
