/* Time for measuring. */
#ifndef DARKNET_SECONDS_H
#define DARKNET_SECONDS_H

/* Seconds since some fixed moment; never set back. */
double seconds_now(void);

/* "1:02:03" */
enum { SECONDS_TEXT_SIZE = 32 };
const char *seconds_text(double seconds, char text[SECONDS_TEXT_SIZE]);

#endif
