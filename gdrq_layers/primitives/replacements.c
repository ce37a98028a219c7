#include "primitives/replacements.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

static const char *const names[GDRQ_REPLACEMENTS] = {
    [GDRQ_REPLACES_CONVOLUTIONAL] = "convolutional",
    [GDRQ_REPLACES_CONNECTED] = "connected",
    [GDRQ_REPLACES_BATCHNORM] = "batchnorm",
    [GDRQ_REPLACES_CRNN] = "crnn",
    [GDRQ_REPLACES_MAXPOOL] = "maxpool",
    [GDRQ_REPLACES_AVGPOOL] = "avgpool",
    [GDRQ_REPLACES_UPSAMPLE] = "upsample",
    [GDRQ_REPLACES_ROUTE] = "route",
    [GDRQ_REPLACES_SHORTCUT] = "shortcut",
    [GDRQ_REPLACES_REORG] = "reorg",
    [GDRQ_REPLACES_DROPOUT] = "dropout",
    [GDRQ_REPLACES_SOFTMAX] = "softmax",
    [GDRQ_REPLACES_ACTIVATION] = "activation",
    [GDRQ_REPLACES_YOLO] = "yolo",
    [GDRQ_REPLACES_REGION] = "region",
    [GDRQ_REPLACES_UPDATE] = "update",
    [GDRQ_REPLACES_GEMM] = "gemm",
    [GDRQ_REPLACES_BLAS] = "blas",
    [GDRQ_REPLACES_PREDICT] = "predict",
    [GDRQ_REPLACES_NMS] = "nms",
};

static const unsigned all = (1u << GDRQ_REPLACEMENTS) - 1;

/* What the environment says. */
static unsigned stock;
static gdrq_status status;
static gdrq_error reason;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is(const char *name, const char *item, size_t length) {
    return strlen(name) == length && strncmp(name, item, length) == 0;
}

/* The bits that an item of the list stands for, 0 if it is no name. */
static unsigned bits_of(const char *item, size_t length) {
    if (is("all", item, length))
        return all;
    for (int i = 0; i < GDRQ_REPLACEMENTS; i++)
        if (is(names[i], item, length))
            return 1u << i;
    return 0;
}

static gdrq_status unknown(const char *item, size_t length, gdrq_error *err) {
    char known[512] = "";
    size_t n = 0;
    for (int i = 0; i < GDRQ_REPLACEMENTS && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s, ", names[i]);
    return gdrq_fail(
        err, GDRQ_ERROR_ARGUMENT,
        "GDRQ_STOCK: \"%.*s\" is no replacement; names, separated by commas, are %sall",
        length < 64 ? (int)length : 64, item, known);
}

gdrq_status gdrq_replacements_parse(const char *list, unsigned *bits, gdrq_error *err) {
    *bits = 0;
    if (!list || !*list)
        return GDRQ_OK;
    unsigned found = 0;
    for (const char *item = list;; item++) {
        const size_t length = strcspn(item, ",");
        const unsigned item_bits = bits_of(item, length);
        if (!item_bits)
            return unknown(item, length, err);
        found |= item_bits;
        item += length;
        if (!*item)
            break;
    }
    *bits = found;
    return GDRQ_OK;
}

static void read_environment(void) {
    status = gdrq_replacements_parse(getenv("GDRQ_STOCK"), &stock, &reason);
}

bool gdrq_replaces(gdrq_replacement replacement) {
    pthread_once(&once, read_environment);
    return !(stock >> replacement & 1);
}

gdrq_status gdrq_replacements_check(gdrq_error *err) {
    pthread_once(&once, read_environment);
    return status == GDRQ_OK ? GDRQ_OK : gdrq_fail(err, status, "%s", reason.message);
}
