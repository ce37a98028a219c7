/* Cfgs that the host's functions for the GPU crash on, or train otherwise than the CPU's. */
#include <string.h>

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <curand.h>

#include "device_array.h"

extern "C" {
#include "host/gpu_sections.h"
}

#define NET "[net]\nwidth=8\nheight=8\nchannels=3\nbatch=2\n"
#define CONV "[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"

static gdrq_error err;

struct cfg {
    gdrq_outline o;

    explicit cfg(const char *text) {
        ASSERT_OK(gdrq_outline_parse("net.cfg", text, strlen(text), &o, &err));
    }
    ~cfg() {
        gdrq_outline_free(&o);
    }
};

static void what_crashes_is_refused(void **) {
    const struct {
        const char *text, *place;
    } cases[] = {
        {NET CONV "[iseg]\nclasses=3\nids=1\n", "layer 1 [iseg]"},
        {"[net]\nwidth=8\nheight=8\nchannels=1\n[crop]\ncrop_width=6\ncrop_height=6\n" CONV,
         "layer 0 [crop]"},
        {NET "[crop]\ncrop_width=6\ncrop_height=6\n" CONV, nullptr},
        {"[net]\nwidth=8\nheight=8\nchannels=1\n[crop]\ncrop_width=6\ncrop_height=6\nnoadjust=1\n"
         "[folded_convolutional]\nfilters=4\n",
         nullptr},
        {NET CONV "[avgpool]\n[cost]\ntype=masked\n", nullptr},
    };
    for (const auto &c : cases) {
        const cfg net(c.text);
        const gdrq_status status = gdrq_gpu_sections_check(&net.o, &err);
        if (!c.place) {
            assert_int_equal(status, GDRQ_OK);
            continue;
        }
        assert_int_equal(status, GDRQ_ERROR_FORMAT);
        assert_non_null(strstr(err.message, "net.cfg"));
        assert_non_null(strstr(err.message, c.place));
        assert_non_null(strstr(err.message, "-nogpu"));
    }
}

static void what_crashes_in_training_is_not_trained(void **) {
    const struct {
        const char *text, *why; /* nullptr: it can be trained */
    } cases[] = {
        {NET CONV "[avgpool]\n[cost]\ntype=masked\n", "layer 2 [cost]"},
        {NET CONV "[avgpool]\n[cost]\ntype=smooth\n", nullptr},
        {NET "adam=1\n[crnn]\nhidden_filters=2\noutput_filters=2\n[cost]\n", "layer 0 [crnn]"},
        {NET "[crnn]\nhidden_filters=2\noutput_filters=2\n[cost]\n", nullptr},
        {NET "adam=1\n" CONV "[rnn]\noutput=3\n[softmax]\n", nullptr},
    };
    for (const auto &c : cases) {
        const cfg net(c.text);
        if (!c.why) {
            assert_null(net.o.untrainable);
            continue;
        }
        assert_non_null(net.o.untrainable);
        assert_non_null(strstr(net.o.untrainable, c.why));
        assert_non_null(strstr(net.o.untrainable, "-nogpu"));
        assert_string_equal(net.o.notes[net.o.n_notes - 1], net.o.untrainable);
    }
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_crashes_is_refused),
        cmocka_unit_test(what_crashes_in_training_is_not_trained),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
