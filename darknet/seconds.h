/* Time for measuring. */
#ifndef DARKNET_SECONDS_H
#define DARKNET_SECONDS_H

/* Seconds since some fixed moment; never set back. */
double seconds_now(void);

#endif
