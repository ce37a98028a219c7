// opencv_reads CFG WEIGHTS FILE: OpenCV's outputs for the input that outputs.c makes, as floats.
#include <cstdio>

#include <opencv2/dnn.hpp>

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    cv::dnn::Net net = cv::dnn::readNetFromDarknet(argv[1], argv[2]);
    const int sizes[] = {1, 3, 32, 32};
    cv::Mat input(4, sizes, CV_32F);
    for (int i = 0; i < 3 * 32 * 32; ++i)
        input.ptr<float>()[i] = (float)((i * 73 + i / 97) % 256) / 255.f;
    net.setInput(input);
    const cv::Mat out = net.forward();
    FILE *f = std::fopen(argv[3], "wb");
    return !f || std::fwrite(out.data, sizeof(float), out.total(), f) != out.total() ||
           std::fclose(f) != 0;
}
