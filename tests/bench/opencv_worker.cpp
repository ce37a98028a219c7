// opencv_worker CFG WEIGHTS WIDTH HEIGHT THREADS [HEAD ...]: serves inference by OpenCV's dnn.
// HEADs are the indices in the cfg of the convolutions before the yolo layers.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <opencv2/dnn.hpp>

#include "inputs.h"
#include "protocol.h"

namespace {

struct Inference {
    cv::dnn::Net net;
    cv::Mat input;
    std::vector<std::string> outputs, heads;
};

void pass(void *user) {
    auto *inference = static_cast<Inference *>(user);
    std::vector<cv::Mat> results;
    inference->net.setInput(inference->input);
    inference->net.forward(results, inference->outputs);
}

int dump(void *user, FILE *file) {
    auto *inference = static_cast<Inference *>(user);
    std::vector<cv::Mat> results;
    inference->net.setInput(inference->input);
    inference->net.forward(results, inference->heads);
    for (const cv::Mat &result : results)
        if (std::fwrite(result.data, sizeof(float), result.total(), file) != result.total())
            return 1;
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 7)
        return std::fprintf(stderr, "usage: opencv_worker CFG WEIGHTS W H THREADS HEAD ...\n"), 2;
    FILE *answers = bench_answers();
    if (!answers)
        return std::perror("opencv_worker: standard output"), 1;
    cv::setNumThreads(std::atoi(argv[5]));
    Inference inference;
    inference.net = cv::dnn::readNetFromDarknet(argv[1], argv[2]);
    inference.outputs = inference.net.getUnconnectedOutLayersNames();
    for (int i = 6; i < argc; ++i)
        inference.heads.push_back(std::string("conv_") + argv[i]);
    const int sizes[] = {1, 3, std::atoi(argv[4]), std::atoi(argv[3])};
    inference.input.create(4, sizes, CV_32F);
    bench_pixels(inference.input.ptr<float>(), inference.input.total());
    bench_work work = {};
    work.user = &inference;
    work.pass = pass;
    work.dump = dump;
    return bench_serve(&work, answers);
}
