/* A window that shows frames, and its keys. To be used by the main thread alone. */
#ifndef DARKNET_DEMO_WINDOW_H
#define DARKNET_DEMO_WINDOW_H

#include "image/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether there is a display: where there is none, opening a window would end the process. */
bool window_is_possible(void);

gdrq_status window_open(const char *title, bool fullscreen, gdrq_error *err);
gdrq_status window_show(const char *title, const picture *p, gdrq_error *err);

typedef enum window_key {
    WINDOW_NOTHING,
    WINDOW_QUIT, /* or the window was closed */
    WINDOW_PAUSE,
    WINDOW_SAVE,
    WINDOW_THRESH_UP,
    WINDOW_THRESH_DOWN,
    WINDOW_HIER_UP,
    WINDOW_HIER_DOWN,
} window_key;

/* What was pressed; gives the window time to draw itself. */
window_key window_poll(const char *title);

void window_close(const char *title);

#ifdef __cplusplus
}
#endif
#endif
