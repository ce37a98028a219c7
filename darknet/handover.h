/* Commands that we do not have go to the stock command of Debian's package. */
#ifndef DARKNET_HANDOVER_H
#define DARKNET_HANDOVER_H

#include <stdbool.h>

/* Whether the stock command has a command of this name that we do not have. */
bool hand_over_knows(const char *what);

/*
 * Replaces this process by the stock command with the whole argv; `what` names the command for
 * messages. Returns the exit status, after an error message, where that is not possible: the stock
 * command is missing, is this very program, or would be given a cfg with gdrq sections.
 */
int hand_over(const char *what, char **argv);

/* Keeps what main() was called with, for commands that find out later that they can't do it. */
void hand_over_remember(char **argv);
int hand_over_remembered(const char *what);

#endif
