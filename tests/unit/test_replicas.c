/*
 * Networks that are trained side by side, as -gpus 0,1 does: means of arrays and thresholds,
 * copies, and what steps of several networks count as. On the CPU, which takes the same way.
 */
#include "base/status.h"
#include "network_numbers.h"
#include "quant/average.h"
#include "small_network.h"
#include "temporary_folder.h"
#include "train/iteration.h"
#include "train/loop.h"
#include "train/quantised_layer.h"

#include <math.h>

static gdrq_error err;

#define ASSERT_OK(call)                  \
    do {                                 \
        if ((call) != GDRQ_OK)           \
            fail_msg("%s", err.message); \
    } while (0)

/* ---- arithmetic ---- */

static void arrays_become_their_mean(void **state) {
    enum { N = 3, COUNT = 70001 };
    float *arrays[N];
    double *expected = calloc(COUNT, sizeof *expected);
    (void)state;
    for (int k = 0; k < N; k++) {
        arrays[k] = random_array(COUNT, 1.f + (float)k);
        arrays[k][5] = .1f;
        for (int i = 0; i < COUNT; i++)
            expected[i] += arrays[k][i];
    }
    gdrq_average_arrays(arrays, N, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_true(arrays[0][i] == (float)(expected[i] / N));
    assert_true(arrays[0][5] == .1f);
    for (int k = 0; k < N; k++) {
        assert_memory_equal(arrays[k], arrays[0], COUNT * sizeof(float));
        if (k)
            free(arrays[k]);
    }
    free(arrays[0]);
    free(expected);
}

static gdrq_running_threshold threshold(float t, uint64_t moves) {
    return (gdrq_running_threshold){.bits = 4,
                                    .range = GDRQ_RANGE_SIGNED,
                                    .how = GDRQ_THRESHOLD_SCALE,
                                    .k = 3,
                                    .momentum = .1f,
                                    .threshold = t,
                                    .moves = moves};
}

static void average_two(gdrq_running_threshold *a, gdrq_running_threshold *b) {
    gdrq_average_thresholds((gdrq_running_threshold *[]){a, b}, 2);
    assert_true(a->threshold == b->threshold && a->moves == b->moves);
    assert_true(a->pending_count == 0 && b->pending_count == 0);
}

/* A young T is the mean of all batches that all networks saw. */
static void young_thresholds_are_means_of_all_batches(void **state) {
    gdrq_running_threshold t[2] = {threshold(0, 0), threshold(0, 0)};
    double sum = 0;
    (void)state;
    for (int step = 0; step < 6; step++) {
        for (int i = 0; i < 2; i++) {
            const double value = 1 + random_unit();
            gdrq_threshold_commit(&t[i]);
            gdrq_threshold_start(&t[i], value);
            gdrq_threshold_observe(&t[i], value, 100);
            sum += value;
        }
        if (step % 3 == 2)
            average_two(&t[0], &t[1]);
    }
    assert_int_equal(t[0].moves, 6);
    assert_float_equal(t[0].threshold, sum / 12, 1e-6);
}

/* Without a T, or with that of zeros, a network has nothing to say. */
static void unset_thresholds_do_not_count(void **state) {
    gdrq_running_threshold a = threshold(2, 9), unset = threshold(0, 0), zero = threshold(0, 9);
    (void)state;
    average_two(&a, &unset);
    assert_true(a.threshold == 2 && unset.moves == 9);
    average_two(&a, &zero);
    assert_true(a.threshold == 2);
    gdrq_running_threshold broken = threshold(NAN, 0), other = threshold(0, 0);
    gdrq_average_thresholds((gdrq_running_threshold *[]){&broken, &other}, 2);
    assert_false(gdrq_threshold_is_set(&broken) || gdrq_threshold_is_set(&other));
    gdrq_running_threshold zeros[2] = {threshold(0, 3), threshold(0, 2)};
    average_two(&zeros[0], &zeros[1]);
    assert_true(zeros[1].threshold == 0 && zeros[1].moves == 3);
}

static void optimisers_of_thresholds_are_averaged(void **state) {
    gdrq_running_threshold a = threshold(1, 5), b = threshold(3, 5);
    (void)state;
    a.optimiser = (gdrq_threshold_optimiser){1, 2, 3};
    b.optimiser = (gdrq_threshold_optimiser){3, 6, 9};
    average_two(&a, &b);
    assert_true(a.threshold == 2);
    assert_true(b.optimiser.update == 2 && b.optimiser.m == 4 && b.optimiser.v == 6);
    assert_memory_equal(&a.optimiser, &b.optimiser, sizeof a.optimiser);
}

/* ---- networks ---- */

#define TRAINING                                                                            \
    "[net]\nbatch=4\nsubdivisions=2\nwidth=8\nheight=8\nchannels=3\nlearning_rate=.01\n"    \
    "momentum=.9\nmax_batches=%d\npolicy=constant\nthreshold=%s\nadam=%d\n"                 \
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=6\nsize=3\npad=1\nactivation=leaky\n" \
    "[batchnorm]\n"                                                                         \
    "[convolutional]\nbatch_normalize=1\nfilters=5\nsize=1\nactivation=relu\n"              \
    "[gdrq_convolutional]\nfilters=4\nsize=3\npad=1\nactivation=linear\nquant_groups=2\n"   \
    "quantize_after=%d\n"                                                                   \
    "[avgpool]\n[softmax]\n"

static network *make(const char *how, int adam, int quantize_after) {
    char text[1500];
    snprintf(text, sizeof text, TRAINING, 10, how, adam, quantize_after);
    network *net = parse_text(text);
    randomise(net);
    return net;
}

static void fill_batch(loader_batch *batch, int n, const network *net) {
    *batch = (loader_batch){.n = n, .w = net->w, .h = net->h};
    const size_t codes = (size_t)n * 3 * (size_t)(net->w * net->h);
    batch->codes = malloc(codes);
    batch->truth = calloc((size_t)(n * net->truths), sizeof(float));
    for (size_t i = 0; i < codes; i++)
        batch->codes[i] = (unsigned char)random_int(0, 255);
    for (int i = 0; i < n; i++)
        batch->truth[i * net->truths + random_int(0, net->truths - 1)] = 1;
}

static void free_batch(loader_batch *batch) {
    free(batch->codes);
    free(batch->truth);
}

static void train_steps(network *net, int steps) {
    for (int i = 0; i < steps; i++) {
        loader_batch batch;
        fill_batch(&batch, 4, net);
        iteration_train(net, &batch, 0);
        free_batch(&batch);
    }
}

static void append_quantised(const layer *l, numbers *of) {
    gdrq_quantised *q = gdrq_quantised_state(l);
    if (!q)
        return;
    append_numbers(of, &q->input->threshold, 1);
    append_numbers(of, (float[]){(float)q->input->moves, (float)q->training->iteration}, 2);
    if (q->weight_thresholds_set)
        append_numbers(of, q->weight_thresholds, (size_t)q->options.quant_groups);
}

/* All that a training changes. */
static numbers all_of(const network *net) {
    numbers of = numbers_of(net, GDRQ_ARRAYS_WEIGHTS);
    gdrq_network_arrays(net, GDRQ_ARRAYS_OPTIMISER, append_numbers, &of);
    for (int i = 0; i < net->n; i++)
        append_quantised(&net->layers[i], &of);
    return of;
}

/* To rounding, as trainings on another number of threads are. */
static void assert_same_numbers(const network *a, const network *b, double tolerance) {
    numbers of_a = all_of(a), of_b = all_of(b);
    assert_int_equal(of_a.n, of_b.n);
    for (size_t i = 0; i < of_a.n; i++)
        if (!(fabs((double)of_a.values[i] - of_b.values[i]) <=
              tolerance * (1e-3 + fabs((double)of_b.values[i]))))
            fail_msg("number %zu: %.9g instead of %.9g", i, (double)of_a.values[i],
                     (double)of_b.values[i]);
    free(of_a.values);
    free(of_b.values);
}

static const char *const HOW[] = {"scale", "search", "learned"};

static void networks_become_their_mean(void **state) {
    (void)state;
    for (int k = 0; k < 3; k++) {
        network *nets[3];
        numbers of[3];
        for (int i = 0; i < 3; i++) {
            nets[i] = make(HOW[k], k == 2, 0);
            train_steps(nets[i], 3);
            for (int l = 0; l < nets[i]->n; l++)
                if (gdrq_quantised_state(&nets[i]->layers[l]))
                    gdrq_threshold_commit(gdrq_quantised_state(&nets[i]->layers[l])->input);
            of[i] = all_of(nets[i]);
        }
        ASSERT_OK(gdrq_networks_average(nets, 3, &err));
        numbers mean = all_of(nets[0]);
        assert_int_equal(mean.n, of[0].n);
        for (size_t i = 0; i < mean.n; i++) {
            const double expected =
                ((double)of[0].values[i] + of[1].values[i] + of[2].values[i]) / 3;
            assert_true(mean.values[i] == (float)expected);
        }
        assert_same_numbers(nets[1], nets[0], 0);
        assert_same_numbers(nets[2], nets[0], 0);
        free(mean.values);
        for (int i = 0; i < 3; i++) {
            free(of[i].values);
            free_network(nets[i]);
        }
    }
}

static void a_copy_trains_as_its_original(void **state) {
    (void)state;
    for (int k = 0; k < 3; k++) {
        network *a = make(HOW[k], k == 1, 2), *b = make(HOW[k], k == 1, 2);
        train_steps(a, 3);
        ASSERT_OK(gdrq_network_copy(a, b, &err));
        assert_int_equal(*b->seen, *a->seen);
        assert_int_equal(*b->t, *a->t);
        assert_same_numbers(b, a, 0);
        for (int step = 0; step < 2; step++) {
            loader_batch batch;
            fill_batch(&batch, 4, a);
            const double loss = iteration_train(a, &batch, 0);
            assert_true(iteration_train(b, &batch, 0) == loss);
            free_batch(&batch);
        }
        assert_same_numbers(b, a, 0);
        free_network(a);
        free_network(b);
    }
}

static void networks_of_different_cfgs_are_refused(void **state) {
    network *a = make("scale", 0, 0);
    (void)state;
    for (int k = 0; k < 3; k++) {
        network *b = k == 0   ? make("learned", 0, 0)
                     : k == 1 ? make("scale", 1, 0)
                              : parse_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n"
                                           "[softmax]\n");
        network *nets[] = {a, b};
        assert_int_equal(gdrq_networks_average(nets, 2, &err), GDRQ_ERROR_ARGUMENT);
        assert_non_null(strstr(err.message, "networks 0 and 1 are not of the same cfg"));
        assert_int_equal(gdrq_network_copy(a, b, &err), GDRQ_ERROR_ARGUMENT);
        free_network(b);
    }
    free_network(a);
}

static gdrq_status fail_beyond_first(void *user, int i, gdrq_error *e) {
    ((int *)user)[i]++;
    return i > 0 ? gdrq_fail(e, GDRQ_ERROR_STATE, "number %d", i) : GDRQ_OK;
}

static void each_network_has_its_turn(void **state) {
    network *net = make("scale", 0, 0);
    network *nets[] = {net, net, net};
    int calls[3] = {0};
    (void)state;
    assert_int_equal(gdrq_networks_each(nets, 3, fail_beyond_first, calls, &err), GDRQ_ERROR_STATE);
    assert_string_equal(err.message, "number 1");
    assert_true(calls[0] == 1 && calls[1] == 1 && calls[2] == 1);
    free_network(net);
}

/* The images of the others bring the learning rate and the end of reshaping nearer, too. */
static void iterations_of_others_count(void **state) {
    network *net = make("scale", 0, 5);
    (void)state;
    train_steps(net, 2);
    gdrq_network_count(net, 2);
    assert_int_equal(get_current_batch(net), 4);
    assert_int_equal(gdrq_network_stage(net), GDRQ_STAGE_RESHAPE);
    train_steps(net, 1);
    assert_int_equal(get_current_batch(net), 5);
    assert_int_equal(gdrq_network_stage(net), GDRQ_STAGE_QUANTISE);
    assert_int_equal(*net->t, 3);
    free_network(net);
}

/* ---- steps ---- */

/* Four steps of two networks are those of either on its half, and then their mean. */
static void steps_are_iterations_of_all(void **state) {
    (void)state;
    for (int k = 0; k < 3; k++) {
        network *first = make(HOW[k], 0, 3), *second = make(HOW[k], 0, 3);
        network *alone[] = {make(HOW[k], 0, 3), make(HOW[k], 0, 3)};
        for (int i = 0; i < 2; i++) {
            ASSERT_OK(gdrq_network_copy(first, alone[i], &err));
            alone[i]->learning_rate *= 2;
        }
        replicas r;
        ASSERT_OK(replicas_of(&r, first, &second, 2, &err));
        assert_int_equal(replicas_images(&r), 8);
        assert_same_numbers(second, first, 0);
        for (int step = 0; step < 4; step++) {
            loader_batch batch;
            double loss;
            fill_batch(&batch, 8, first);
            ASSERT_OK(replicas_train(&r, &batch, &loss, &err));
            const double losses[] = {iteration_train(alone[0], &batch, 0),
                                     iteration_train(alone[1], &batch, 4)};
            assert_float_equal(loss, (losses[0] + losses[1]) / 2, 1e-5);
            for (int i = 0; i < 2; i++) {
                gdrq_network_count(alone[i], 1);
                assert_int_equal(get_current_batch(r.nets[i]), 2 * (step + 1));
            }
            if (step < 3)
                assert_same_numbers(second, alone[1], 1e-5);
            free_batch(&batch);
        }
        assert_int_equal(r.apart, 0);
        ASSERT_OK(gdrq_networks_average(alone, 2, &err));
        assert_same_numbers(first, alone[0], 1e-5);
        assert_same_numbers(second, first, 0);
        free_network(alone[0]);
        free_network(alone[1]);
        replicas_close(&r);
        free_network(first);
    }
}

/* One picture and its class. */
static gdrq_status make_sample(const void *user, random_stream *random, int image, const picture *p,
                               const loader_sample *sample, gdrq_error *e) {
    (void)user, (void)image, (void)p, (void)e;
    for (int i = 0; i < 3 * sample->w * sample->h; i++)
        sample->codes[i] = (unsigned char)random_below(random, 256);
    sample->truth[random_below(random, 4)] = 1;
    return GDRQ_OK;
}

/* 10 iterations in steps of 3, over inputs of changing sizes. */
typedef struct three {
    replicas r;
    network *first;
    train_state state;
    checkpoints files;
    history rows;
    train_outcome outcome;
} three;

static void open_three(three *t) {
    network *others[] = {make("learned", 0, 4), make("learned", 0, 4)};
    *t = (three){.first = make("learned", 0, 4), .state = {.seed = 3}};
    ASSERT_OK(replicas_of(&t->r, t->first, others, 3, &err));
    ASSERT_OK(checkpoints_open(&t->files, "backup", "net.cfg", &err));
    ASSERT_OK(history_open(&t->rows, t->files.log, NULL, 0, &err));
}

static void train_three(three *t, ema *mean) {
    char *path = (char *)"/usr/share/darknet/data/dog.jpg";
    mean_view view = {.mean = mean};
    loader_options samples = {.paths = &path,
                              .n_images = 1,
                              .make = make_sample,
                              .truths = t->first->truths,
                              .seed = 3,
                              .threads = 1,
                              .cache_bytes = 1 << 22};
    train_job job = {.replicas = &t->r,
                     .n_images = 1,
                     .files = &t->files,
                     .history = &t->rows,
                     .chart = t->files.chart,
                     .title = "net.cfg",
                     .state = &t->state,
                     .view = &view,
                     .milestone_every = 5,
                     .sizes = {.every = 6, .least = 32, .most = 64},
                     .out = fopen("log", "w")};
    ASSERT_OK(loader_open(&samples, &job.samples, &err));
    ASSERT_OK(train_loop(&job, &t->outcome, &err));
    fclose(job.out);
    loader_close(job.samples);
}

static void close_three(three *t) {
    history_close(&t->rows);
    checkpoints_close(&t->files);
    replicas_close(&t->r);
    free_network(t->first);
}

/* What is saved is all of it. */
static void a_training_counts_the_images_of_all(void **state) {
    network *loaded = make("learned", 0, 4);
    train_state resumed = {0};
    state_found found;
    three t;
    (void)state;
    open_three(&t);
    train_three(&t, NULL);
    assert_true(t.outcome.whole);
    assert_int_equal(t.outcome.saved, 12); /* not in the middle of a step */
    assert_int_equal(t.rows.n, 4);
    for (size_t i = 0; i < t.rows.n; i++)
        assert_int_equal(t.rows.rows[i].iteration, 3 * (i + 1));
    assert_int_equal(t.rows.rows[1].stage, GDRQ_STAGE_RESHAPE);
    assert_int_equal(t.rows.rows[2].stage, GDRQ_STAGE_QUANTISE);
    assert_int_equal(access("backup/net_6.weights", F_OK), 0);
    assert_int_equal(access("backup/net_12.weights", F_OK), 0);
    for (int i = 0; i < 3; i++)
        assert_true(t.r.nets[i]->w == t.first->w && *t.r.nets[i]->seen == 12 * 4);
    assert_same_numbers(t.r.nets[1], t.first, 0);
    assert_same_numbers(t.r.nets[2], t.first, 0);
    ASSERT_OK(gdrq_network_load(loaded, "backup/net_last.weights", false, NULL, &err));
    ASSERT_OK(state_load("backup/net_last.state", loaded, &resumed, NULL, &found, &err));
    assert_int_equal(found, STATE_WHOLE);
    assert_same_numbers(loaded, t.first, 0);
    close_three(&t);
    free_network(loaded);
}

/*
 * The networks become one after iteration 6, of which net_6.weights has the mean of weights, and
 * after 12: then the mean moves, by what 6 steps of one network would have moved it, and is saved.
 */
static void the_mean_of_weights_is_of_joined_networks(void **state) {
    network *at_6 = make("learned", 0, 4);
    train_state resumed = {0};
    state_found found;
    ema mean, saved;
    double keep = 1;
    three t;
    (void)state;
    open_three(&t);
    ASSERT_OK(ema_start(&mean, t.first, .5, &err));
    train_three(&t, &mean);
    assert_int_equal(mean.steps, 12);
    for (int i = 7; i <= 12; i++)
        keep *= fmin(.5, (1. + i) / (10. + i));
    ASSERT_OK(gdrq_network_load(at_6, "backup/net_6.weights", false, NULL, &err));
    numbers before = numbers_of(at_6, GDRQ_ARRAYS_WEIGHTS),
            now = numbers_of(t.first, GDRQ_ARRAYS_WEIGHTS);
    assert_int_equal(mean.n, now.n);
    for (size_t i = 0; i < mean.n; i++)
        assert_true(mean.mean[i] ==
                    before.values[i] + (float)(1 - keep) * (now.values[i] - before.values[i]));
    ASSERT_OK(ema_start(&saved, at_6, .5, &err));
    ASSERT_OK(gdrq_network_load(at_6, "backup/net_last.weights", false, NULL, &err));
    ASSERT_OK(state_load("backup/net_last.state", at_6, &resumed, &saved, &found, &err));
    assert_int_equal(found, STATE_WHOLE);
    assert_int_equal(saved.steps, 12);
    assert_memory_equal(saved.mean, mean.mean, mean.n * sizeof(float));
    free(before.values);
    free(now.values);
    ema_free(&saved);
    ema_free(&mean);
    close_three(&t);
    free_network(at_6);
}

int main(void) {
    seed_random(4712);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_become_their_mean),
        cmocka_unit_test(young_thresholds_are_means_of_all_batches),
        cmocka_unit_test(unset_thresholds_do_not_count),
        cmocka_unit_test(optimisers_of_thresholds_are_averaged),
        cmocka_unit_test(networks_become_their_mean),
        cmocka_unit_test(a_copy_trains_as_its_original),
        cmocka_unit_test(networks_of_different_cfgs_are_refused),
        cmocka_unit_test(each_network_has_its_turn),
        cmocka_unit_test(iterations_of_others_count),
        cmocka_unit_test(steps_are_iterations_of_all),
        cmocka_unit_test(a_training_counts_the_images_of_all),
        cmocka_unit_test(the_mean_of_weights_is_of_joined_networks),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
