#include "image/pixel_shares.h"

pixel_shares pixel_shares_of(const unsigned char *classes, size_t n) {
    pixel_shares shares = {.pixels = n};
    size_t *const counts = shares.of_class;
#pragma omp parallel for schedule(static) reduction(+ : counts[:256])
    for (size_t i = 0; i < n; i++)
        counts[classes[i]]++;
    return shares;
}

double pixel_share(const pixel_shares *shares, int class_id) {
    return (double)shares->of_class[class_id] / (double)shares->pixels;
}
