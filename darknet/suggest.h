/* Lines that tell what to do next, ready to be pasted into a shell. */
#ifndef DARKNET_SUGGEST_H
#define DARKNET_SUGGEST_H

/*
 * "To PURPOSE: PROGRAM COMMAND WORD ..." on stdout, where PROGRAM is how this one was called and
 * words[0..n), quoted if a shell would not take them as they are, are the operands and flags.
 */
void suggest(const char *purpose, const char *command, const char *const *words, int n);

#endif
