#include "seconds.h"

#include <stdio.h>

#include "base/seconds.h"

double seconds_now(void) {
    return gdrq_seconds();
}

const char *seconds_text(double seconds, char text[SECONDS_TEXT_SIZE]) {
    const unsigned long s = (unsigned long)(seconds + .5);
    snprintf(text, SECONDS_TEXT_SIZE, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    return text;
}
