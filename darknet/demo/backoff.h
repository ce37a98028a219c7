/* How long to wait before a lost source is tried again: twice as long each time. */
#ifndef DARKNET_DEMO_BACKOFF_H
#define DARKNET_DEMO_BACKOFF_H

/* Zeroed: nothing has failed yet. */
typedef struct backoff {
    double last; /* seconds */
} backoff;

/* The seconds to wait now: 0.5, 1, 2, 4, 8, 8 and so on. */
double backoff_next(backoff *b);

/* It works again. */
void backoff_reset(backoff *b);

#endif
