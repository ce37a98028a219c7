// usage: serve_frames [PORT [PHOTO]]
// The demo's web server with made-up frames: a photo that is panned over, with boxes that keep to
// their places in it, at 30 frames per second. Prints the address and serves until it is killed.
extern "C" {
#include "demo/http_server.h"
}
#include "image/picture.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

// In pixels of the photo that is given by default, dog.jpg.
struct object {
    const char *name;
    int class_id;
    float left, top, right, bottom, confidence;
};
const object objects[] = {
    {"bicycle", 1, 120, 128, 568, 430, .98f}, {"dog", 16, 130, 220, 312, 542, .94f},
    {"truck", 7, 470, 82, 690, 172, .87f},    {"potted plant", 58, 680, 112, 720, 158, .41f},
    {"car", 2, 60, 76, 116, 118, .27f},
};

const int width = 640, height = 480;

// What is seen of the photo at a time, in seconds.
cv::Rect2f window_at(double t, const cv::Mat &photo) {
    const float zoom = float(.86 + .1 * std::sin(.7 * t));
    const float w = float(photo.cols) * zoom, h = w * height / width;
    const float x = float(.5 + .5 * std::sin(.9 * t)) * (float(photo.cols) - w);
    const float y = float(.5 + .5 * std::cos(.6 * t)) * std::max(0.f, float(photo.rows) - h);
    return {x, y, w, h};
}

std::string draw_objects(picture *frame, const cv::Rect2f &window, double t, float threshold,
                         unsigned long number) {
    const float scale = width / window.width;
    std::string json = "{\"frame_id\":" + std::to_string(number) + ", \"objects\":[";
    const char *separator = "";
    for (const object &o : objects) {
        const float confidence =
            std::min(.995f, o.confidence + .02f * float(std::sin(3 * t + o.class_id)));
        if (confidence <= threshold)
            continue;
        const float left = scale * (o.left - window.x), top = scale * (o.top - window.y);
        const float right = scale * (o.right - window.x), bottom = scale * (o.bottom - window.y);
        picture_draw_box(frame, left, top, right, bottom, o.class_id, o.name, nullptr);
        char text[300];
        std::snprintf(text, sizeof text,
                      "%s{\"class_id\":%d, \"name\":\"%s\", \"relative_coordinates\":{"
                      "\"center_x\":%f, \"center_y\":%f, \"width\":%f, \"height\":%f}, "
                      "\"confidence\":%f}",
                      separator, o.class_id, o.name, (left + right) / 2 / width,
                      (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height,
                      confidence);
        json += text;
        separator = ", ";
    }
    return json + "]}";
}

void serve(http_server *server, const cv::Mat &photo) {
    auto next = std::chrono::steady_clock::now();
    std::vector<unsigned char> jpeg;
    for (unsigned long number = 1;; number++) {
        const double t = double(number) / 30;
        const cv::Rect2f window = window_at(t, photo);
        const float scale = width / window.width;
        const cv::Mat moved =
            (cv::Mat_<float>(2, 3) << scale, 0, -scale * window.x, 0, scale, -scale * window.y);
        cv::Mat seen;
        cv::warpAffine(photo, seen, moved, {width, height});
        picture frame = {seen.data, width, height};
        const std::string json =
            draw_objects(&frame, window, t, http_server_threshold(server), number);
        const bool wanted = http_server_wants_pictures(server);
        if (wanted)
            cv::imencode(".jpg", seen, jpeg);
        http_frame made = {};
        made.number = number;
        made.jpeg = wanted ? jpeg.data() : nullptr;
        made.jpeg_size = jpeg.size();
        made.detections = json.c_str();
        made.statistics = {29.5 + .5 * std::sin(t),
                           11 + 2 * std::sin(.8 * t),
                           16 + 5 * std::sin(.5 * t) * std::sin(1.7 * t),
                           5.6,
                           number,
                           number / 90,
                           "playing"};
        http_server_publish(server, &made);
        std::this_thread::sleep_until(next += std::chrono::microseconds(33333));
    }
}

} // namespace

int main(int argc, char **argv) {
    const char *path = argc > 2 ? argv[2] : "/usr/share/darknet/data/dog.jpg";
    const cv::Mat photo = cv::imread(path);
    if (photo.empty()) {
        std::fprintf(stderr, "serve_frames: can't read %s\n", path);
        return 1;
    }
    http_options options = {};
    options.port = argc > 1 ? std::atoi(argv[1]) : 0;
    options.most_clients = 16;
    options.title = "yolov3-tiny, 4 bits";
    options.threshold = .25f;
    http_server *server;
    gdrq_error err;
    if (http_server_start(&options, &server, &err) != GDRQ_OK) {
        std::fprintf(stderr, "serve_frames: %s\n", err.message);
        return 1;
    }
    std::printf("http://127.0.0.1:%d/\n", http_server_port(server));
    std::fflush(stdout);
    serve(server, photo);
}
