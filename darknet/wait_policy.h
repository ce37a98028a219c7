/* How the network's threads wait for one another. */
#ifndef DARKNET_WAIT_POLICY_H
#define DARKNET_WAIT_POLICY_H

/*
 * Starts the program again with threads that soon sleep when they wait, unless the user has chosen
 * (OMP_WAIT_POLICY or GOMP_SPINCOUNT). libgomp's threads spin for milliseconds by default, which
 * costs nothing on an idle machine; with another program on one of two cores, each join then waits
 * until the scheduler has run the spinning thread's time slice: training took six times as long.
 * libgomp reads the environment once, when it is loaded, so only a new start can change it. Returns
 * if there is nothing to do or it isn't possible.
 */
void wait_policy_apply(char **argv);

#endif
