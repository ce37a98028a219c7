/*
 * Folded residual networks: shortcuts within convolutions and beside them, in place and not, on any
 * number of threads, on any instruction set and at any size, against what was trained.
 */
#include "fold_test.h"

#include <omp.h>

/* A network in the making, and the shapes of its tensors; [0] is the input. */
typedef struct draft {
    text text;
    gdrq_tensor_shape shapes[40];
    int n;
} draft;

static const char *random_activation(void) {
    static const char *const names[] = {"linear", "leaky", "relu", "leaky", "logistic"};
    return names[random_int(0, 4)];
}

static gdrq_tensor_shape last_shape(const draft *d) {
    return d->shapes[d->n - 1];
}

static void add_conv(draft *d, int filters, int size, int stride, int groups) {
    const gdrq_tensor_shape in = last_shape(d);
    const int pad = size / 2;
    add(&d->text,
        "[%sconvolutional]\nfilters=%d\nsize=%d\nstride=%d\npadding=%d\ngroups=%d\n"
        "activation=%s\nbatch_normalize=%d\n",
        random_int(0, 9) ? "gdrq_" : "", filters, size, stride, pad, groups, random_activation(),
        random_int(0, 1));
    d->shapes[d->n++] = (gdrq_tensor_shape){(in.w + 2 * pad - size) / stride + 1,
                                            (in.h + 2 * pad - size) / stride + 1, filters};
}

/* Of an earlier tensor that may be added to the last one; mostly of one of its shape. */
static void add_shortcut(draft *d) {
    const gdrq_tensor_shape to = last_shape(d);
    for (int i = 0; i < 12; i++) {
        const int from = random_int(1, d->n - 1);
        const gdrq_tensor_shape s = d->shapes[from];
        const bool fits = s.w >= to.w && s.h >= to.h && s.w / to.w == s.h / to.h;
        if (!fits || (random_int(0, 3) && !gdrq_same_shape(s, to)))
            continue;
        add(&d->text, "[shortcut]\nfrom=%d\nactivation=%s\n%s", from - d->n, random_activation(),
            random_int(0, 3) ? "" : "alpha=.7\nbeta=-1.3\n");
        d->shapes[d->n++] = to;
        return;
    }
}

/* Of stride 1, or 2x2 with stride 2, which a convolution before it may do. */
static void add_maxpool(draft *d, gdrq_tensor_shape in) {
    if (random_int(0, 1) || in.w < 4 || in.h < 4) {
        add(&d->text, "[maxpool]\nsize=%d\nstride=1\n", random_int(1, 3));
    } else {
        const int padding = random_int(0, 2);
        add(&d->text, "[maxpool]\nsize=2\nstride=2\npadding=%d\n", padding);
        in.w = (in.w + padding - 2) / 2 + 1;
        in.h = (in.h + padding - 2) / 2 + 1;
    }
    d->shapes[d->n++] = in;
}

static void add_one(draft *d) {
    const gdrq_tensor_shape in = last_shape(d);
    const int back = random_int(1, d->n - 1);
    switch (random_int(0, 11)) {
    case 0:
    case 1:
    case 2:
        add_conv(d, random_int(0, 3) ? in.c : 16, 3, 1, 1);
        break;
    case 3:
        add_conv(d, random_int(1, 40), 1, 1, 1);
        break;
    case 4:
        add_conv(d, 16, 3, 2, 1);
        break;
    case 5:
        add_conv(d, in.c, 3, 1, in.c);
        break;
    case 6:
        add_maxpool(d, in);
        break;
    case 7:
        add(&d->text, "[dropout]\nprobability=.3\n");
        d->shapes[d->n++] = in;
        break;
    case 8:
        add(&d->text, "[route]\nlayers=%d\n", back - d->n);
        d->shapes[d->n] = d->shapes[back];
        d->n++;
        break;
    default:
        add_shortcut(d);
    }
}

static draft random_draft(void) {
    static const int filters[] = {16, 16, 32, 8, 12, 5};
    draft d = {.n = 1};
    d.shapes[0] = (gdrq_tensor_shape){random_int(5, 26), random_int(5, 26), 3};
    add(&d.text, "[net]\nbatch=%d\nwidth=%d\nheight=%d\nchannels=3\n", random_int(1, 3),
        d.shapes[0].w, d.shapes[0].h);
    add_conv(&d, filters[random_int(0, 5)], 3, 1, 1);
    for (int n = random_int(4, 12); n > 0; n--)
        add_one(&d);
    if (random_int(0, 1))
        add_conv(&d, random_int(1, 20), 1, 1, 1);
    return d;
}

static int count_ways(const network *net, const char *way) {
    const gdrq_plan *plan = gdrq_network_state_find(net)->folded->plan;
    int n = 0;
    for (int i = 0; i < net->n; i++)
        n += strcmp(gdrq_plan_way(plan, i), way) == 0;
    return n;
}

static void check_on_threads(fold_pair *p) {
    static const int threads[] = {1, 4, 3, 2};
    const int before = omp_get_max_threads();
    for (int i = 0; i < 4; i++) {
        omp_set_num_threads(threads[i]);
        predict_both(p);
        assert_same_outputs(p);
    }
    omp_set_num_threads(before);
}

static void check_resized(fold_pair *p) {
    gdrq_error err = {""};
    const int w = random_int(5, 40), h = random_int(5, 40);
    if (gdrq_network_resize(p->trained, w, h, &err) != GDRQ_OK)
        return;
    must_be_ok(gdrq_network_resize(p->folded, w, h, &err), &err);
    predict_both(p);
    assert_same_outputs(p);
}

static void residual_networks(void **state) {
    (void)state;
    gdrq_error err;
    int fused = 0, apart = 0;
    seed_random(901);
    for (int i = 0; i < random_cases(160); i++) {
        fold_pair p;
        const draft d = random_draft();
        must_be_ok(gdrq_set_cpu(i % 4 ? "avx512vnni" : "c", &err), &err);
        if (!make_pair(&p, d.text.s))
            continue;
        fused += count_ways(p.folded, "fused");
        apart += count_ways(p.folded, "interleaved");
        check_on_threads(&p);
        check_resized(&p);
        free_pair(&p);
    }
    must_be_ok(gdrq_set_cpu("avx512vnni", &err), &err);
    printf("%d shortcuts within convolutions, %d layers beside them\n", fused, apart);
    assert_true(fused >= random_cases(160) / 16 && apart >= random_cases(160) / 16);
}

static void pair_of(fold_pair *p, const char *cfg) {
    seed_random(902);
    assert_true(make_pair(p, cfg));
}

/* Winograd's memory on fewer threads, which then do one block together, is more. */
static void fewer_threads(void **state) {
    (void)state;
    fold_pair p;
    const int before = omp_get_max_threads();
    pair_of(&p, "[net]\nwidth=16\nheight=16\nchannels=3\n"
                "[gdrq_convolutional]\nfilters=64\nsize=3\npad=1\nactivation=relu\n"
                "[gdrq_convolutional]\nfilters=64\nsize=3\npad=1\nactivation=relu\n"
                "[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=linear\n");
    for (int n = 8; n > 0; n--) {
        omp_set_num_threads(n);
        predict_both(&p);
        assert_same_outputs(&p);
    }
    omp_set_num_threads(before);
    free_pair(&p);
}

static void what_nobody_reads(void **state) {
    (void)state;
    fold_pair p;
    pair_of(&p, "[net]\nwidth=16\nheight=16\nchannels=3\n"
                "[gdrq_convolutional]\nfilters=16\nsize=3\npad=1\nactivation=relu\n"
                "[gdrq_convolutional]\nfilters=16\nsize=3\npad=1\nactivation=relu\n"
                "[route]\nlayers=-2\n"
                "[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=linear\n");
    predict_both(&p);
    assert_same_outputs(&p);
    free_pair(&p);
}

/* At 23x23 the shortcut joins 12x12 and 12x12; at 24x24 12x12 and 13x13, which is left to the host.
 */
static void another_size_needs_values(void **state) {
    (void)state;
    fold_pair p;
    gdrq_error err = {""};
    pair_of(&p, "[net]\nwidth=23\nheight=23\nchannels=3\n"
                "[gdrq_convolutional]\nfilters=8\nsize=3\npad=1\nactivation=relu\n"
                "[gdrq_convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=relu\n"
                "[route]\nlayers=-2\n"
                "[gdrq_convolutional]\nfilters=8\nsize=4\nstride=2\npadding=2\nactivation=relu\n"
                "[shortcut]\nfrom=-3\nactivation=linear\n"
                "[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=linear\n");
    for (int side = 24; side > 21; side--) {
        must_be_ok(gdrq_network_resize(p.trained, side, side, &err), &err);
        must_be_ok(gdrq_network_resize(p.folded, side, side, &err), &err);
        predict_both(&p);
        assert_same_outputs(&p);
    }
    free_pair(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residual_networks),
        cmocka_unit_test(fewer_threads),
        cmocka_unit_test(what_nobody_reads),
        cmocka_unit_test(another_size_needs_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
