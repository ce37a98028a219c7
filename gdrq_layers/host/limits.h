/* Limits of the host that its parser does not check. */
#ifndef GDRQ_HOST_LIMITS_H
#define GDRQ_HOST_LIMITS_H

/* Bytes of the scratch buffer that a network's layers share; the host asserts it in resizing. */
#define GDRQ_MAX_WORKSPACE 2000000000

#endif
