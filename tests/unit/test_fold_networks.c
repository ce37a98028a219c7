/*
 * Every network of cfg/ folded, at a small input size so that it runs here: integer sums against 64
 * bits, codes and values against the training graph's.
 */
#include "fold_test.h"

#include <glob.h>

#include "host/text_file.h"

/* The host's constructors draw every weight by this, for which they take half of the time here;
 * randomise_fast() sets them all. The host calls ours: it looks in the program first. */
__attribute__((visibility("default"))) float rand_normal(void) {
    return 0;
}

/* The cfg with another width and height, and a batch of 1. */
static char *with_size(const char *path, int size) {
    char *text;
    size_t n;
    gdrq_error err = {""};
    must_be_ok(gdrq_text_file_read(path, 1 << 20, &text, &n, &err), &err);
    char *out = malloc(n + 256), *to = out;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const char *key = line + strspn(line, " ");
        if (!strncmp(key, "width", 5) || !strncmp(key, "height", 6) || !strncmp(key, "crop_", 5))
            to += sprintf(to, "%.*s=%d\n", (int)strcspn(key, "= "), key, size);
        else if (!strncmp(key, "batch=", 6) || !strncmp(key, "subdivisions=", 13))
            to += sprintf(to, "%.*s=1\n", (int)strcspn(key, "="), key);
        else
            to += sprintf(to, "%s\n", line);
    }
    free(text);
    return out;
}

/* As randomise(), but with uniform weights: there are millions. */
static void randomise_fast(network *net) {
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        if (l->type != CONVOLUTIONAL && l->type != CONNECTED)
            continue;
        const size_t per_filter = gdrq_quantised_state(l)->filter_size;
        const size_t n = (size_t)l->out_c * per_filter;
        const float range = 2 * sqrtf(3 / (float)per_filter);
        for (size_t k = 0; k < n; k++)
            l->weights[k] = range * ((float)(random_bits() >> 40) * 0x1p-24f - .5f);
        for (int k = 0; k < l->out_c; k++) {
            l->biases[k] = (float)random_unit() - .5f;
            if (l->batch_normalize)
                l->scales[k] = .5f + (float)random_unit();
        }
    }
}

/* Least input that leaves the deepest layer a pixel or a few. */
static int size_for(const char *path) {
    return strstr(path, "cifar10") ? 32 : 96;
}

static void check_network(const char *path) {
    fold_pair p = {0};
    char *text = with_size(path, size_for(path));
    gdrq_error err = {""};
    p.cfg = temporary_file(text, strlen(text));
    free(text);
    must_be_ok(gdrq_network_parse(p.cfg, NULL, NULL, &p.trained, &err), &err);
    randomise_fast(p.trained);
    settle(p.trained, 1);
    fold(&p);
    predict_both(&p);
    gdrq_layer_match *matches = calloc((size_t)p.trained->n, sizeof *matches);
    compare_layers(&p, matches);
    int folded = 0, inexact = 0;
    for (int i = 0; i < p.trained->n; i++) {
        if (!matches[i].folded)
            continue;
        check_sums(&p, i, 50);
        folded++;
        inexact += !matches[i].exact;
    }
    printf("%s: %d folded layers, %d of them with sums that float may round\n", path, folded,
           inexact);
    assert_true(folded > 0);
    free(matches);
    free_pair(&p);
}

static void every_network_of_ours(void **state) {
    (void)state;
    seed_random(601);
    glob_t found;
    int checked = 0;
    assert_int_equal(glob("cfg/*.cfg", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (strstr(found.gl_pathv[i], "-float"))
            continue;
        check_network(found.gl_pathv[i]);
        checked++;
    }
    globfree(&found);
    assert_true(checked >= 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_network_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
