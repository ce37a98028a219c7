#include "eval/confusion.h"

#include "base/alloc.h"
#include "base/status.h"

#include <math.h>
#include <stdlib.h>

gdrq_status confusion_make(int classes, confusion *c, gdrq_error *err) {
    *c = (confusion){.classes = classes};
    c->counts = gdrq_alloc((size_t)classes * (size_t)classes, sizeof *c->counts);
    if (c->counts)
        return GDRQ_OK;
    *c = (confusion){0};
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d classes", classes);
}

void confusion_free(confusion *c) {
    free(c->counts);
    *c = (confusion){0};
}

void confusion_add(confusion *c, const unsigned char *truth, const unsigned char *found, size_t n) {
    const size_t classes = (size_t)c->classes;
    for (size_t i = 0; i < n; i++)
        if (truth[i] < classes)
            c->counts[truth[i] * classes + found[i]]++;
}

uint64_t confusion_at(const confusion *c, int truth, int found) {
    return c->counts[(size_t)truth * (size_t)c->classes + (size_t)found];
}

uint64_t confusion_true_pixels(const confusion *c, int class_id) {
    uint64_t sum = 0;
    for (int k = 0; k < c->classes; k++)
        sum += confusion_at(c, class_id, k);
    return sum;
}

uint64_t confusion_found_pixels(const confusion *c, int class_id) {
    uint64_t sum = 0;
    for (int k = 0; k < c->classes; k++)
        sum += confusion_at(c, k, class_id);
    return sum;
}

static double share(uint64_t part, uint64_t all) {
    return all ? (double)part / (double)all : NAN;
}

double confusion_iou(const confusion *c, int class_id) {
    const uint64_t both = confusion_at(c, class_id, class_id);
    return share(both,
                 confusion_true_pixels(c, class_id) + confusion_found_pixels(c, class_id) - both);
}

typedef double of_class(const confusion *c, int class_id);

static double accuracy_of(const confusion *c, int class_id) {
    return share(confusion_at(c, class_id, class_id), confusion_true_pixels(c, class_id));
}

static double mean_of(const confusion *c, of_class *value_of) {
    double sum = 0;
    int n = 0;
    for (int k = 0; k < c->classes; k++) {
        const double value = value_of(c, k);
        if (isnan(value))
            continue;
        sum += value;
        n++;
    }
    return n ? sum / n : NAN;
}

double confusion_mean_iou(const confusion *c) {
    return mean_of(c, confusion_iou);
}

int confusion_measured_classes(const confusion *c) {
    int n = 0;
    for (int k = 0; k < c->classes; k++)
        n += !isnan(confusion_iou(c, k));
    return n;
}

double confusion_class_accuracy(const confusion *c) {
    return mean_of(c, accuracy_of);
}

double confusion_pixel_accuracy(const confusion *c) {
    uint64_t right = 0, all = 0;
    for (int k = 0; k < c->classes; k++) {
        right += confusion_at(c, k, k);
        all += confusion_true_pixels(c, k);
    }
    return share(right, all);
}
