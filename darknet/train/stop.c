#include "train/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t signal_seen;

static void note_signal(int number) {
    signal_seen = number;
}

void stop_watch(void) {
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A terminal that is closed ends a training, too, unless nohup says otherwise. */
    struct sigaction before;
    sigaction(SIGHUP, NULL, &before);
    if (before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
}

int stop_signal(void) {
    return signal_seen;
}
