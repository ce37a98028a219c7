/* A folded network that gives pixels classes, on the GPU against the CPU: by itself and behind a
   whole pass, whose output the host has pulled, the classes are the same. */
#include <omp.h>

#include "folded_pair.h"

extern "C" {
#include "primitives/cuda/segmentation_layer_gpu.h"
}

/* clang-format off */
static const char *const segmenter =
    "[net]\nbatch=1\nwidth=24\nheight=16\nchannels=3\n"
    "[folded_convolutional]\nweight_bits=8\nactivation_bits=8\nactivation_range=unsigned\n"
    "filters=8\nsize=3\npad=1\nactivation=relu\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[folded_convolutional]\nweight_bits=4\nactivation_bits=4\nactivation_range=unsigned\n"
    "filters=16\nsize=3\npad=1\nactivation=relu\n"
    "[upsample]\nstride=2\n"
    "[route]\nlayers=-1,0\n"
    "[folded_convolutional]\nweight_bits=8\nactivation_bits=4\nactivation_range=unsigned\n"
    "filters=5\nsize=3\npad=1\nactivation=linear\n"
    "[segmentation]\nclasses=5\n";
/* clang-format on */
enum { CLASSES = 5, LAST = 6, PICTURE_W = 50, PICTURE_H = 31 };

/* With the last layer as attaching makes it. */
struct segmenting : parsed_network {
    explicit segmenting(int gpu_index) : parsed_network(segmenter, gpu_index) {
        layer &l = layers[LAST];
        float *weights = (float *)malloc(CLASSES * sizeof *weights);
        for (int c = 0; c < CLASSES; ++c)
            weights[c] = 1;
        l.w = 24, l.h = 16, l.c = CLASSES;
        gdrq_make_segmentation_layer(&l, weights);
        if (gpu_index >= 0)
            ASSERT_OK(gdrq_make_segmentation_layer_gpu(&l, gpu_index, &err));
        ASSERT_OK(attach());
        ASSERT_OK(gdrq_folded_randomise(folded(), &net, &err));
    }
    ~segmenting() {
        gdrq_device_free(layers[LAST].scales_gpu);
        free(layers[LAST].scales);
    }
};

static void check_various(const std::vector<unsigned char> &classes) {
    for (unsigned char c : classes)
        if (c != classes[0])
            return;
    fail_msg("all pixels are of class %d: nothing was tested", classes[0]);
}

static void pixels_have_the_classes_of_the_cpu(void **) {
    segmenting cpu(-1), gpu(0);
    std::vector<unsigned char> picture(3 * PICTURE_W * PICTURE_H);
    std::vector<unsigned char> expected(PICTURE_W * PICTURE_H), got(expected);
    const gdrq_pixels p = {picture.data(), PICTURE_W, PICTURE_H, 3 * PICTURE_W, GDRQ_BGR};
    for (int i = 0; i < 3; ++i) {
        for (unsigned char &value : picture)
            value = (unsigned char)random_int(0, 255);
        ASSERT_OK(gdrq_network_segment(&cpu.net, &p, expected.data(), nullptr, &err));
        ASSERT_OK(gdrq_network_segment(&gpu.net, &p, got.data(), nullptr, &err));
        assert_memory_equal(got.data(), expected.data(), expected.size());
        check_various(expected);
        std::fill(got.begin(), got.end(), 255);
        ASSERT_OK(gdrq_network_predict_pixels(&gpu.net, &p, nullptr, &err));
        ASSERT_OK(gdrq_network_classes(&gpu.net, PICTURE_W, PICTURE_H, got.data(), &err));
        assert_memory_equal(got.data(), expected.data(), expected.size());
    }
}

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(pixels_have_the_classes_of_the_cpu)};
    omp_set_num_threads(1);
    seed_random(908);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
