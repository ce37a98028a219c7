/*
 * SIGINT, SIGTERM and SIGHUP (unless that one is ignored) as a wish to stop, for a loop that looks
 * at it between its steps.
 */
#ifndef DARKNET_TRAIN_STOP_H
#define DARKNET_TRAIN_STOP_H

/* From now on the first signal is only noted; a second one ends the process at once. */
void stop_watch(void);

/* The signal that came, or 0. */
int stop_signal(void);

#endif
