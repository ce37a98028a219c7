// onednn_worker SHAPES: serves 8-bit convolutions by oneDNN, one after the other.
// onednn_worker SHAPES plain: the same numbers by a plain loop, to compare with; it only dumps.
//
// SHAPES has a line per convolution: channels, height and width of the input, filters, size,
// stride, padding, groups, and relu, leaky or linear. Each reads random codes of its own, 8 bits
// unsigned, and writes such codes, also behind a linear layer: that is the least work for oneDNN.
// Weights have 7 bits, since without VNNI instructions oneDNN's sums of two products of 8 bits can
// overflow.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "inputs.h"
#include "protocol.h"

namespace {

using dnnl::memory;
constexpr int SAMPLES = 4000; // outputs of each layer that are compared
constexpr int WARM_UPS = 3;

struct Shape {
    int channels, height, width, filters, size, stride, pad, groups;
    std::string activation;

    int out_height() const {
        return (height + 2 * pad - size) / stride + 1;
    }
    int out_width() const {
        return (width + 2 * pad - size) / stride + 1;
    }
    size_t outputs() const {
        return static_cast<size_t>(filters) * out_height() * out_width();
    }
    int filter_weights() const {
        return channels / groups * size * size;
    }
    float slope() const {
        return activation == "relu" ? 0.f : activation == "leaky" ? .1f : 1.f;
    }
};

struct Data {
    std::vector<uint8_t> input; // channel, row, column
    std::vector<int8_t> weights;
    std::vector<float> scale, bias; // output = scale * (sum + bias)
};

std::istream &operator>>(std::istream &in, Shape &s) {
    return in >> s.channels >> s.height >> s.width >> s.filters >> s.size >> s.stride >> s.pad >>
           s.groups >> s.activation;
}

// Scales bring sums, whose deviation is about 5400 per root of their length, into the codes' range.
Data make_data(const Shape &shape, uint64_t seed) {
    Data data;
    uint64_t random = seed;
    data.input.resize(static_cast<size_t>(shape.channels) * shape.height * shape.width);
    for (uint8_t &code : data.input)
        code = static_cast<uint8_t>(bench_random(&random) >> 23);
    data.weights.resize(static_cast<size_t>(shape.filters) * shape.filter_weights());
    for (int8_t &code : data.weights)
        code = static_cast<int8_t>(static_cast<int>((bench_random(&random) >> 8) % 127) - 63);
    const float deviation = 5400 * std::sqrt(static_cast<float>(shape.filter_weights()));
    for (int f = 0; f < shape.filters; ++f) {
        data.scale.push_back((32 + 64 * bench_unit(&random)) / deviation);
        data.bias.push_back(deviation * bench_unit(&random));
    }
    return data;
}

// Work of one layer, by whoever does it: run() computes all, at() gives an output, by channel, row
// and column.
struct Layer {
    virtual ~Layer() = default;
    virtual void run() = 0;
    virtual std::vector<uint8_t> at(const std::vector<size_t> &positions) = 0;
};

class PlainLayer : public Layer {
  public:
    PlainLayer(const Shape &shape, Data data) : shape(shape), data(std::move(data)) {
    }

    void run() override {
    }

    std::vector<uint8_t> at(const std::vector<size_t> &positions) override {
        std::vector<uint8_t> codes;
        for (size_t position : positions)
            codes.push_back(output(position));
        return codes;
    }

  private:
    Shape shape;
    Data data;

    int input(int channel, int y, int x) const {
        if (y < 0 || y >= shape.height || x < 0 || x >= shape.width)
            return 0;
        return data.input[(static_cast<size_t>(channel) * shape.height + y) * shape.width + x];
    }

    int sum(int filter, int row, int column) const {
        const int in_group = shape.channels / shape.groups;
        const int first = filter / (shape.filters / shape.groups) * in_group;
        const int8_t *weight = &data.weights[static_cast<size_t>(filter) * shape.filter_weights()];
        int total = 0;
        for (int c = first; c < first + in_group; ++c)
            for (int y = row * shape.stride - shape.pad, i = 0; i < shape.size; ++i, ++y)
                for (int x = column * shape.stride - shape.pad, j = 0; j < shape.size; ++j, ++x)
                    total += *weight++ * input(c, y, x);
        return total;
    }

    uint8_t output(size_t position) const {
        const size_t area = static_cast<size_t>(shape.out_height()) * shape.out_width();
        const int filter = static_cast<int>(position / area),
                  at = static_cast<int>(position % area);
        const int total = sum(filter, at / shape.out_width(), at % shape.out_width());
        float y = data.scale[filter] * (static_cast<float>(total) + data.bias[filter]);
        y = y < 0 ? y * shape.slope() : y;
        return static_cast<uint8_t>(std::min(255.f, std::max(0.f, std::nearbyint(y))));
    }
};

class DnnlLayer : public Layer {
  public:
    DnnlLayer(const Shape &s, const Data &data, const dnnl::engine &engine, dnnl::stream &stream)
        : shape(s), stream(stream) {
        const auto desc = describe(data.scale, engine);
        std::fprintf(stderr, "%d -> %d @ %d, %dx%d: %s\n", s.channels, s.filters, s.height, s.size,
                     s.size, desc.impl_info_str());
        convolution = dnnl::convolution_forward(desc);
        source = memory(desc.src_desc(), engine);
        weights = memory(desc.weights_desc(), engine);
        bias = memory(desc.bias_desc(), engine);
        result = memory(desc.dst_desc(), engine);
        copy(data.input.data(), {dims_in(), memory::data_type::u8, memory::format_tag::nchw},
             source);
        copy(data.weights.data(),
             {dims_weights(), memory::data_type::s8,
              grouped() ? memory::format_tag::goihw : memory::format_tag::oihw},
             weights);
        copy(data.bias.data(), {{s.filters}, memory::data_type::f32, memory::format_tag::x}, bias);
        arguments = {{DNNL_ARG_SRC, source},
                     {DNNL_ARG_WEIGHTS, weights},
                     {DNNL_ARG_BIAS, bias},
                     {DNNL_ARG_DST, result}};
    }

    void run() override {
        convolution.execute(stream, arguments);
        stream.wait();
    }

    std::vector<uint8_t> at(const std::vector<size_t> &positions) override {
        run();
        std::vector<uint8_t> all(shape.outputs()), codes;
        memory plain({dims_out(), memory::data_type::u8, memory::format_tag::nchw},
                     result.get_engine(), all.data());
        dnnl::reorder(result, plain).execute(stream, result, plain);
        stream.wait();
        for (size_t position : positions)
            codes.push_back(all[position]);
        return codes;
    }

  private:
    Shape shape;
    dnnl::stream &stream;
    dnnl::convolution_forward convolution;
    memory source, weights, bias, result;
    std::unordered_map<int, memory> arguments;

    bool grouped() const {
        return shape.groups > 1;
    }
    memory::dims dims_in() const {
        return {1, shape.channels, shape.height, shape.width};
    }
    memory::dims dims_out() const {
        return {1, shape.filters, shape.out_height(), shape.out_width()};
    }
    memory::dims dims_weights() const {
        memory::dims dims = {shape.filters / shape.groups, shape.channels / shape.groups,
                             shape.size, shape.size};
        if (grouped())
            dims.insert(dims.begin(), shape.groups);
        return dims;
    }

    dnnl::primitive_attr attributes(const std::vector<float> &scale) const {
        dnnl::primitive_attr attributes;
        attributes.set_output_scales(1 << 1, scale);
        if (shape.activation != "linear") {
            dnnl::post_ops post;
            post.append_eltwise(1, dnnl::algorithm::eltwise_relu, shape.slope(), 0);
            attributes.set_post_ops(post);
        }
        return attributes;
    }

    // All formats are oneDNN's own choice.
    dnnl::convolution_forward::primitive_desc describe(const std::vector<float> &scale,
                                                       const dnnl::engine &engine) const {
        const auto any = memory::format_tag::any;
        const memory::dims strides = {shape.stride, shape.stride}, pads = {shape.pad, shape.pad};
        const dnnl::convolution_forward::desc desc(
            dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
            {dims_in(), memory::data_type::u8, any}, {dims_weights(), memory::data_type::s8, any},
            {{shape.filters}, memory::data_type::f32, any},
            {dims_out(), memory::data_type::u8, any}, strides, pads, pads);
        return {desc, attributes(scale), engine};
    }

    void copy(const void *from, const memory::desc &format, memory &to) {
        memory plain(format, to.get_engine(), const_cast<void *>(from));
        dnnl::reorder(plain, to).execute(stream, plain, to);
        stream.wait();
    }
};

struct Sequence {
    std::vector<Shape> shapes;
    std::vector<std::unique_ptr<Layer>> layers;
};

void pass(void *user) {
    for (auto &layer : static_cast<Sequence *>(user)->layers)
        layer->run();
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

int time_layers(void *user, int n, double *total, double *each) {
    const auto &layers = static_cast<Sequence *>(user)->layers;
    std::vector<double> wholes;
    std::vector<std::vector<double>> seconds(layers.size());
    for (int run = -WARM_UPS; run < n; ++run) {
        const double start = bench_seconds();
        double last = start;
        for (size_t i = 0; i < layers.size(); ++i) {
            layers[i]->run();
            const double now = bench_seconds();
            if (run >= 0)
                seconds[i].push_back(now - last);
            last = now;
        }
        if (run >= 0)
            wholes.push_back(last - start);
    }
    *total = median(wholes);
    for (const auto &of_layer : seconds)
        *each++ = median(of_layer);
    return 0;
}

// As floats, which tests/bench/compare.c reads: some outputs of each layer, the corners among them.
int dump(void *user, FILE *file) {
    auto *sequence = static_cast<Sequence *>(user);
    uint64_t random = 3;
    for (size_t i = 0; i < sequence->layers.size(); ++i) {
        const size_t outputs = sequence->shapes[i].outputs();
        std::vector<size_t> positions = {0, outputs - 1};
        for (int sample = 0; sample < SAMPLES; ++sample)
            positions.push_back(bench_random(&random) % outputs);
        for (uint8_t code : sequence->layers[i]->at(positions)) {
            const float value = code;
            if (std::fwrite(&value, sizeof value, 1, file) != 1)
                return 1;
        }
    }
    return 0;
}

int serve(const char *path, bool plain, FILE *answers) {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    Sequence sequence;
    std::ifstream file(path);
    for (Shape shape; file >> shape;) {
        Data data = make_data(shape, sequence.shapes.size());
        sequence.shapes.push_back(shape);
        if (plain)
            sequence.layers.push_back(std::make_unique<PlainLayer>(shape, std::move(data)));
        else
            sequence.layers.push_back(std::make_unique<DnnlLayer>(shape, data, engine, stream));
    }
    if (sequence.shapes.empty() || !file.eof())
        return std::fprintf(stderr, "onednn_worker: %s: can't read shapes\n", path), 1;
    bench_work work = {};
    work.user = &sequence;
    work.pass = pass;
    work.dump = dump;
    work.layers = plain ? nullptr : time_layers;
    work.n_layers = static_cast<int>(sequence.layers.size());
    return bench_serve(&work, answers);
}

} // namespace

int main(int argc, char **argv) {
    const bool plain = argc == 3 && std::strcmp(argv[2], "plain") == 0;
    if (argc != 2 && !plain)
        return std::fprintf(stderr, "usage: onednn_worker SHAPES [plain]\n"), 2;
    FILE *answers = bench_answers();
    if (!answers)
        return std::perror("onednn_worker: standard output"), 1;
    try {
        return serve(argv[1], plain, answers);
    } catch (const dnnl::error &error) {
        return std::fprintf(stderr, "onednn_worker: %s\n", error.what()), 1;
    }
}
