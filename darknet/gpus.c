#include "gpus.h"

#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    int n;
    int numbers[GPUS_MOST];
    const char *text;
} chosen;

gdrq_status gpus_set_one(const char *number, gdrq_error *err) {
    chosen.n = 0;
    return gdrq_gpu_use(number, err);
}

/* Adds the number that `text` is. */
static gdrq_status add(const char *text, gdrq_error *err) {
    if (chosen.n == GPUS_MOST)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "more than %d GPUs", GPUS_MOST);
    const gdrq_status status = gdrq_gpu_use(text, err);
    if (status != GDRQ_OK)
        return status;
    const int number = atoi(text);
    for (int i = 0; i < chosen.n; i++)
        if (chosen.numbers[i] == number)
            return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "GPU %d is named twice", number);
    chosen.numbers[chosen.n++] = number;
    return GDRQ_OK;
}

gdrq_status gpus_set_list(const char *list, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    char word[16];
    chosen.n = 0;
    chosen.text = list;
    for (const char *from = list; status == GDRQ_OK; from++) {
        const size_t n = strcspn(from, ",");
        snprintf(word, sizeof word, "%.*s", (int)n, from);
        status = add(word, err);
        from += n;
        if (!*from)
            break;
    }
    if (status != GDRQ_OK)
        chosen.n = 0;
    return status == GDRQ_OK ? gpus_use(0, err) : status;
}

int gpus_count(void) {
    return chosen.n > 1 && gdrq_gpu_ready(NULL) == GDRQ_OK ? chosen.n : 1;
}

gdrq_status gpus_use(int i, gdrq_error *err) {
    char number[16];
    snprintf(number, sizeof number, "%d", chosen.numbers[i]);
    return gdrq_gpu_use(number, err);
}

const char *gpus_list(void) {
    return gpus_count() > 1 ? chosen.text : NULL;
}
