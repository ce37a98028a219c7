/* Folded networks from end to end: as the host runs them on the GPU against the CPU, values and
   codes to the bit. */
#include <glob.h>
#include <omp.h>

#include <fstream>
#include <map>
#include <string>

#include "folded_pair.h"

#define CONV(weight_bits, activation_bits, range, rest)                                       \
    "[folded_convolutional]\nweight_bits=" #weight_bits "\nactivation_bits=" #activation_bits \
    "\nactivation_range=" range "\n" rest "\n"

/* clang-format off */
/* Pools, a depthwise layer, a way back up, joined maps, and two heads, one of them in the middle. */
static const char *const detector =
    "[net]\nbatch=2\nwidth=32\nheight=24\nchannels=3\n"
    CONV(8, 8, "unsigned", "filters=8\nsize=3\npad=1\nactivation=leaky")               /* 0: pixels */
    "[maxpool]\nsize=2\nstride=2\n"                                                    /* 1 */
    CONV(4, 4, "offset", "filters=16\nsize=3\npad=1\nactivation=leaky")                /* 2 */
    "[maxpool]\nsize=2\nstride=1\n"                                                    /* 3 */
    CONV(4, 4, "offset", "filters=16\nsize=3\nstride=2\npad=1\ngroups=16\nactivation=leaky")
    CONV(4, 4, "offset", "filters=14\nsize=1\nactivation=linear")                       /* 5 */
    "[yolo]\nmask=0,1\nanchors=4,4, 16,16\nclasses=2\nnum=2\n"                         /* 6 */
    "[route]\nlayers=-3\n"                                                             /* 7 */
    CONV(4, 4, "offset", "filters=12\nsize=1\nactivation=leaky")                        /* 8 */
    "[upsample]\nstride=2\n"                                                           /* 9 */
    "[route]\nlayers=-1,3\n"                                                           /* 10 */
    "[reorg]\nstride=2\n"                                                              /* 11 */
    "[dropout]\n"                                                                      /* 12 */
    CONV(4, 4, "offset", "filters=14\nsize=3\npad=1\ngroups=2\nactivation=linear")      /* 13 */
    "[yolo]\nmask=0,1\nanchors=4,4, 16,16\nclasses=2\nnum=2\n";                        /* 14 */

/* Shortcuts, a logistic activation, and what a classifier ends with. */
static const char *const classifier =
    "[net]\nbatch=2\nwidth=12\nheight=10\nchannels=3\n"
    CONV(8, 8, "unsigned", "filters=12\nsize=3\npad=1\nactivation=relu")               /* 0 */
    CONV(4, 4, "unsigned", "filters=12\nsize=3\npad=1\nactivation=relu")               /* 1 */
    CONV(4, 4, "unsigned", "filters=12\nsize=1\nactivation=linear")                    /* 2 */
    "[shortcut]\nfrom=-3\nactivation=relu\n"                                           /* 3 */
    "[dropout]\n"                                                                      /* 4 */
    CONV(8, 8, "unsigned", "filters=10\nsize=1\nactivation=logistic")                  /* 5 */
    CONV(8, 8, "unsigned", "filters=20\nsize=3\npad=1\nactivation=logistic")           /* 6 */
    "[avgpool]\n"                                                                      /* 7 */
    "[folded_connected]\nweight_bits=4\nactivation_bits=8\nactivation_range=unsigned\n"
    "output=11\nactivation=leaky\n"                                                    /* 8 */
    "[folded_connected]\nweight_bits=8\nactivation_bits=8\nactivation_range=offset\n"
    "output=9\nactivation=linear\n"                                                    /* 9 */
    "[dropout]\n"                                                                      /* 10 */
    "[softmax]\n"                                                                      /* 11 */
    "[cost]\n";                                                                        /* 12 */

/* Floats go in. */
static const char *const cropped =
    "[net]\nbatch=2\nwidth=12\nheight=11\nchannels=3\n"
    "[crop]\ncrop_width=9\ncrop_height=8\n"
    CONV(8, 8, "signed", "filters=12\nsize=3\npad=1\nactivation=relu")
    "[maxpool]\nsize=2\nstride=2\n"
    "[folded_connected]\nweight_bits=4\nactivation_bits=4\nactivation_range=unsigned\n"
    "output=10\nactivation=linear\n"
    "[softmax]\n";
/* clang-format on */

/* ---- layer by layer ---- */

/* The codes of each layer of image 1, as they are when the layer has run. */
struct observed {
    parsed_network *p;
    std::map<int, std::vector<uint8_t>> codes;
};

/* There they may lie between others in a route. */
static void observe_on_cpu(void *user, int i) {
    observed *o = (observed *)user;
    const gdrq_folded_network *f = o->p->folded();
    if (!gdrq_plan_has_codes(f->plan, i))
        return;
    const uint8_t *codes = gdrq_plan_codes(f->plan, i, 1);
    const size_t channels = (size_t)f->tensors[i + 1].c, pixel = gdrq_plan_pixel(f->plan, i);
    for (size_t k = 0; k < gdrq_tensor_size(f->tensors[i + 1]); ++k)
        o->codes[i].push_back(codes[k / channels * pixel + k % channels]);
}

static void observe_on_gpu(void *user, int i) {
    observed *o = (observed *)user;
    const gdrq_folded_network *f = o->p->folded();
    if (!gdrq_plan_has_codes(f->plan, i))
        return;
    o->codes[i].resize(gdrq_tensor_size(f->tensors[i + 1]));
    ASSERT_OK(gdrq_device_pull(o->codes[i].data(), gdrq_folded_gpu_codes(f->gpu, i, 1),
                               o->codes[i].size(), &err));
}

/* Either may fuse a layer, whose codes then are nowhere. */
static void check_codes(folded_pair &pair, int expected) {
    observed cpu = {&pair.cpu, {}}, gpu = {&pair.gpu, {}};
    pair.set_random_input();
    gdrq_network_predict_watched(&pair.cpu.net, pair.cpu.net.input, observe_on_cpu, &cpu);
    gdrq_gpu_predict(&pair.gpu.net, pair.gpu.folded(), pair.gpu.net.input, observe_on_gpu, &gpu);
    int compared = 0;
    for (const auto &c : cpu.codes) {
        if (!gpu.codes.count(c.first))
            continue;
        if (c.second != gpu.codes[c.first])
            fail_msg("layer %d: codes differ", c.first);
        /* Else nothing was tested. */
        for (uint8_t code : c.second)
            if (code != c.second[0]) {
                ++compared;
                break;
            }
    }
    assert_int_equal(compared, expected);
}

/* ---- from end to end ---- */

static void check_outputs(folded_pair &pair) {
    const network &cpu = pair.cpu.net, &gpu = pair.gpu.net;
    int heads = 0;
    for (int i = 0; i < cpu.n; ++i) {
        const layer &l = cpu.layers[i];
        if ((l.type != YOLO && l.output != cpu.output) || l.type == DROPOUT || l.type == COST)
            continue;
        ++heads;
        if (memcmp(l.output, gpu.layers[i].output, sizeof(float) * l.batch * l.outputs))
            fail_msg("layer %d: outputs differ", i);
    }
    assert_true(heads > 0);
}

/* By our loop and by the host's. */
static void check_frames(folded_pair &pair, int frames) {
    for (int i = 0; i < frames; ++i) {
        pair.set_random_input();
        network_predict(&pair.cpu.net, pair.cpu.net.input);
        if (i % 2)
            stock_network_predict(&pair.gpu.net, pair.gpu.net.input);
        else
            network_predict(&pair.gpu.net, pair.gpu.net.input);
        check_outputs(pair);
    }
}

/* Of what layer 1 has given on the CPU, layer 2's kernel makes what it makes there. */
static void a_layer_by_itself(void **) {
    folded_pair pair(detector);
    observed cpu = {&pair.cpu, {}};
    pair.set_random_input();
    gdrq_network_predict_watched(&pair.cpu.net, pair.cpu.net.input, observe_on_cpu, &cpu);
    std::vector<uint8_t> codes(cpu.codes[2].size());
    std::vector<float> values(codes.size());
    ASSERT_OK(gdrq_folded_gpu_run_alone(pair.gpu.folded(), 2, cpu.codes[1].data(), codes.data(),
                                        values.data(), &err));
    assert_true(codes == cpu.codes[2]);
    for (size_t i = 0; i < values.size(); ++i)
        assert_true(values[i] == values[i]);
}

static void a_detector(void **) {
    for (int capability : capabilities_to_test()) {
        set_code_capability(capability);
        folded_pair pair(detector);
        assert_string_equal(gdrq_folded_gpu_kernel(pair.gpu.folded()->gpu, 2),
                            capability >= 75 ? "cuda mma" : "cuda dp4a");
        assert_string_equal(gdrq_folded_gpu_kernel(pair.gpu.folded()->gpu, 0), "cuda pixels");
        assert_string_equal(gdrq_folded_gpu_kernel(pair.gpu.folded()->gpu, 4), "cuda depthwise");
        check_frames(pair, 2);
        check_codes(pair, 10);
    }
    set_code_capability(75);
}

static void a_classifier(void **) {
    folded_pair pair(classifier);
    assert_string_equal(gdrq_folded_gpu_kernel(pair.gpu.folded()->gpu, 8), "cuda connected");
    check_frames(pair, 3);
    check_codes(pair, 7);
}

static void cropped_pictures(void **) {
    folded_pair pair(cropped);
    uint8_t *pixels;
    /* Random numbers are for codes that grow from layer to layer; these are of -1 to 1. */
    for (parsed_network *p : {&pair.cpu, &pair.gpu}) {
        gdrq_folded_network *f = p->folded();
        f->grids[f->nodes[1].input_class] = gdrq_activation_grid(8, GDRQ_RANGE_SIGNED, .1f, 1);
    }
    ASSERT_OK(gdrq_folded_pixels(pair.gpu.folded(), &pixels, &err));
    assert_null(pixels);
    check_frames(pair, 3);
    check_codes(pair, 2);
}

/* One graph a frame, recorded at the first; the host waits for its results and for nothing else. */
static void a_frame_is_one_graph(void **) {
    folded_pair pair(detector);
    check_frames(pair, 1);
    const unsigned long launches = launches_so_far(), waits = waits_so_far();
    const unsigned long handles = handles_in_use();
    network_predict(&pair.gpu.net, pair.gpu.net.input);
    assert_launches(launches, 1);
    assert_handles_in_use(handles);
    /* The input, and two heads. */
    assert_waits(waits, 3);
}

static gdrq_pixels picture(std::vector<uint8_t> &bytes, int w, int h) {
    bytes.resize(3 * (size_t)w * h);
    for (uint8_t &b : bytes)
        b = (uint8_t)random_int(0, 255);
    return {bytes.data(), w, h, 3 * (size_t)w, GDRQ_RGB};
}

/* Of which nothing but the pixels goes to the GPU. */
static void pictures(void **) {
    folded_pair pair(detector);
    std::vector<uint8_t> bytes;
    for (int i = 0; i < 2; ++i) {
        const gdrq_pixels p = picture(bytes, 32 + 9 * i, 24);
        ASSERT_OK(gdrq_network_predict_pixels(&pair.cpu.net, &p, nullptr, &err));
        ASSERT_OK(gdrq_network_predict_pixels(&pair.gpu.net, &p, nullptr, &err));
        for (network *net : {&pair.cpu.net, &pair.gpu.net})
            for (int k = 0; k < net->n; ++k)
                assert_int_equal(net->layers[k].batch, 2);
        set_batch_network(&pair.cpu.net, 1);
        set_batch_network(&pair.gpu.net, 1);
        check_outputs(pair);
        set_batch_network(&pair.cpu.net, 2);
        set_batch_network(&pair.gpu.net, 2);
    }
    check_frames(pair, 1);
}

static void sizes_and_weights_change(void **) {
    folded_pair pair(detector);
    check_frames(pair, 1);
    for (int w : {48, 16}) {
        ASSERT_OK(gdrq_resize(&pair.cpu.net, w, 32, &err));
        ASSERT_OK(gdrq_resize(&pair.gpu.net, w, 32, &err));
        check_frames(pair, 1);
    }
    /* New addresses of the weights. */
    for (parsed_network *p : {&pair.cpu, &pair.gpu})
        ASSERT_OK(gdrq_folded_randomise(p->folded(), &p->net, &err));
    check_frames(pair, 1);
}

static void nothing_is_left_on_the_gpu(void **) {
    skip_on_a_real_device();
    const size_t memory = memory_in_use();
    const unsigned long handles = handles_in_use();
    {
        folded_pair pair(classifier);
        check_frames(pair, 1);
        assert_true(memory_in_use() > memory && handles_in_use() > handles);
    }
    assert_memory_in_use(memory);
    assert_handles_in_use(handles);
}

/* ---- what can't be ---- */

static void expect_error(const char *cfg, const char *words) {
    parsed_network p(cfg, 0);
    const gdrq_status status = p.attach();
    if (status != GDRQ_ERROR_STATE || !strstr(err.message, words))
        fail_msg("status %d, '%s' lacks '%s'", (int)status, err.message, words);
}

#define FIRST \
    "[net]\nwidth=12\nheight=10\nchannels=3\n" CONV(8, 8, "unsigned", "activation=relu\nfilters=4")
#define SECOND(rest) CONV(4, 4, "unsigned", "filters=4\nactivation=" rest)

static void layers_without_kernels_are_named(void **) {
    expect_error(FIRST "[local]\nfilters=2\nactivation=relu\n" SECOND("linear"),
                 "layer 1: [local] computes floats that folded layers read");
    expect_error(FIRST SECOND("elu"),
                 "layer 1: on the GPU, folded networks have the activations linear, relu, leaky "
                 "and logistic, not elu: -nogpu");
    expect_error(FIRST SECOND("linear") "[shortcut]\nfrom=-2\nactivation=tanh\n",
                 "layer 2: on the GPU");
}

static bool is_one_of(const std::string &key, std::initializer_list<const char *> keys) {
    for (const char *k : keys)
        if (key == k)
            return true;
    return false;
}

/* The cfg of a network of ours as folding would write it, but smaller, and all with 4 bits. */
static std::string as_folded(const char *path) {
    std::ifstream in(path);
    std::string line, section, text;
    const char *const size = strstr(path, "cifar10") ? "32" : "96";
    while (std::getline(in, line)) {
        const std::string key = line.substr(0, line.find_first_of(" ="));
        if (line[0] == '[') {
            section = line;
            const size_t ours = line.find("gdrq_");
            text += ours == std::string::npos ? line : line.replace(ours, 4, "folded");
        } else if (section.find("gdrq_") != std::string::npos) {
            if (is_one_of(key,
                          {"filters", "size", "stride", "pad", "groups", "activation", "output"}))
                text += line;
        } else if (section != "[net]") {
            text += is_one_of(key, {"crop_width", "crop_height"}) ? key + "=" + size : line;
        } else if (is_one_of(key, {"width", "height"})) {
            text += key + "=" + size;
        } else if (key == "channels") {
            text += line;
        }
        text += "\n";
    }
    return text;
}

/* What can run behind the others, by a function of its own. */
static bool may_be_hosts(const layer &l) {
    return l.type == YOLO || l.type == REGION || gdrq_is_segmentation_layer(&l) ||
           l.type == UPSAMPLE; /* of scores, before [segmentation] */
}

static void every_network_of_ours_has_a_plan(void **) {
    glob_t found;
    int checked = 0;
    assert_int_equal(glob("cfg/*.cfg", 0, nullptr, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; ++i) {
        if (strstr(found.gl_pathv[i], "-float"))
            continue;
        parsed_network p(as_folded(found.gl_pathv[i]).c_str(), 0);
        if (p.attach() != GDRQ_OK)
            fail_msg("%s: %s", found.gl_pathv[i], err.message);
        for (int k = 0; k < p.net.n; ++k)
            if (gdrq_folded_gpu_is_hosts(p.folded()->gpu, k) && !may_be_hosts(p.layers[k]))
                fail_msg("%s: layer %d is the host's", found.gl_pathv[i], k);
        ++checked;
    }
    globfree(&found);
    assert_true(checked >= 12);
}

/* Of attaching or loading, whichever fails first. */
static gdrq_status attach_and_load(parsed_network *p) {
    const gdrq_status status = p->attach();
    return status == GDRQ_OK ? gdrq_folded_randomise(p->folded(), &p->net, &err) : status;
}

/* At whatever point memory runs out, the advice is one for inference. */
static void memory_runs_out(void **) {
    skip_on_a_real_device();
    const size_t memory = memory_in_use();
    int failures = 0;
    for (bool done = false; !done;) {
        parsed_network p(detector, 0);
        limit_memory(memory_in_use() + 4000 * (size_t)failures);
        const gdrq_status status = attach_and_load(&p);
        limit_memory(SIZE_MAX);
        done = status == GDRQ_OK;
        if (done)
            break;
        ++failures;
        assert_int_equal(status, GDRQ_ERROR_MEMORY);
        if (!strstr(err.message, "choose a smaller width= and height= in [net]"))
            fail_msg("%s", err.message);
    }
    assert_true(failures > 5);
    assert_memory_in_use(memory);
}

/* What worked before still works. */
static void nothing_changes_without_memory(void **) {
    skip_on_a_real_device();
    folded_pair pair(detector);
    for (size_t more = 0; more < 60000; more += 15000) {
        limit_memory(memory_in_use() + more);
        assert_int_equal(gdrq_resize(&pair.gpu.net, 96, 64, &err), GDRQ_ERROR_MEMORY);
        limit_memory(SIZE_MAX);
    }
    limit_memory(memory_in_use() + 2000);
    assert_int_equal(gdrq_folded_randomise(pair.gpu.folded(), &pair.gpu.net, &err),
                     GDRQ_ERROR_MEMORY);
    limit_memory(SIZE_MAX);
    assert_non_null(strstr(err.message, "layer "));
    check_frames(pair, 1);
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_by_itself),
        cmocka_unit_test(a_detector),
        cmocka_unit_test(a_classifier),
        cmocka_unit_test(cropped_pictures),
        cmocka_unit_test(a_frame_is_one_graph),
        cmocka_unit_test(pictures),
        cmocka_unit_test(sizes_and_weights_change),
        cmocka_unit_test(nothing_is_left_on_the_gpu),
        cmocka_unit_test(every_network_of_ours_has_a_plan),
        cmocka_unit_test(layers_without_kernels_are_named),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(nothing_changes_without_memory),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(907);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
