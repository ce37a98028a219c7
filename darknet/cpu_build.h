/* A GPU build can't compute on the CPU: there the CPU build runs in its place. */
#ifndef DARKNET_CPU_BUILD_H
#define DARKNET_CPU_BUILD_H

/*
 * With -nogpu among the arguments, or without a GPU, a GPU build says so and becomes `darknet-cpu`
 * in its own folder; returns an exit status if that can't be run. Else, and always in a CPU build,
 * returns -1.
 */
int cpu_build_take_over(char **argv);

/* The same for a command that computes on the CPU in any case; words: argv from the command on. */
int cpu_build_take_over_command(char *const *words, char **argv);

#endif
