#include "seconds.h"

#include "base/seconds.h"

double seconds_now(void) {
    return gdrq_seconds();
}
