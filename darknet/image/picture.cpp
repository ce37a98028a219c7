#include "image/picture.h"

#include "image/jpeg_end.h"
#include "image/picture_cv.h"

extern "C" {
#include "base/write_all.h"
}

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr long long max_pixels = 1LL << 28;
constexpr long long max_file_bytes = 1LL << 30;

/* OpenCV's own threads would compete with the network's, and its log would double our messages. */
const struct quiet_opencv {
    quiet_opencv() {
        cv::setNumThreads(0);
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    }
} quiet;

gdrq_status allocate(const char *what, int w, int h, picture *p, gdrq_error *err) {
    *p = {};
    if (w < 1 || h < 1 || (long long)w * h > max_pixels)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %d x %d pixels, at most 2^28 are supported",
                         what, w, h);
    p->data = static_cast<unsigned char *>(std::malloc((size_t)w * h * 3 + PICTURE_SLACK));
    if (!p->data)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", what);
    p->w = w;
    p->h = h;
    return GDRQ_OK;
}

/* OpenCV refuses what is larger than it allows by an exception whose text is its own condition. */
cv::Mat decode(const std::vector<unsigned char> &bytes, bool *too_large) {
    try {
        return bytes.empty() ? cv::Mat() : cv::imdecode(bytes, cv::IMREAD_COLOR);
    } catch (const cv::Exception &e) {
        *too_large = e.err.find("CV_IO_MAX_IMAGE") != std::string::npos;
        if (!*too_large)
            throw;
        return cv::Mat();
    }
}

gdrq_status read_bytes(const char *path, std::vector<unsigned char> &bytes, gdrq_error *err) {
    struct stat st; /* before opening, which would wait on a pipe */
    if (stat(path, &st) != 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open the image", path);
    if (!S_ISREG(st.st_mode))
        return gdrq_fail(err, GDRQ_ERROR_IO, "%s: not a regular file", path);
    if (st.st_size > max_file_bytes)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: larger than 1 GiB", path);
    const std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(path, "rbe"), std::fclose);
    if (!file)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open the image", path);
    bytes.resize((size_t)st.st_size);
    bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
    if (std::ferror(file.get()))
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read the image", path);
    return GDRQ_OK;
}

const char *extension(const char *path) {
    const char *slash = std::strrchr(path, '/');
    const char *dot = std::strrchr(slash ? slash : path, '.');
    return dot ? dot : "";
}

struct encoded {
    const char *path;
    std::vector<unsigned char> bytes;
};

gdrq_status write_bytes(void *user, int fd, gdrq_error *err) {
    const auto &file = *static_cast<const encoded *>(user);
    if (!gdrq_write_all(fd, file.bytes.data(), file.bytes.size()))
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write the image", file.path);
    return GDRQ_OK;
}

/*
 * Hues a golden section of the circle apart: neighbouring classes differ most, and a class keeps
 * its colour however many there are. Saturation and value alternate for the classes behind.
 */
cv::Scalar class_colour(int index) {
    const double golden = 0.618033988749895;
    const double hue = 6 * (index * golden - std::floor(index * golden));
    const double saturation = index / 8 % 2 ? 0.6 : 0.9, value = index / 16 % 2 ? 0.7 : 1.0;
    const auto channel = [&](double n) {
        const double k = std::fmod(n + hue, 6);
        return 255 * value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0));
    };
    return cv::Scalar(channel(1), channel(3), channel(5));
}

/* A coordinate as drawing wants it: a little outside of the picture at most. NaN becomes -1. */
int pixel(float x, int size) {
    return x >= -1 ? (int)std::min(x, (float)size) : -1;
}

void draw_label(cv::Mat &image, int left, int top, const cv::Scalar &colour, const char *label) {
    const int font = cv::FONT_HERSHEY_SIMPLEX;
    const double scale = std::max(0.4, image.rows / 900.0);
    const int thickness = std::max(1, (int)(scale * 1.5)), margin = 2 + (int)(scale * 3);
    int below = 0;
    const cv::Size text = cv::getTextSize(label, font, scale, thickness, &below);
    const int height = text.height + below + 2 * margin, width = text.width + 2 * margin;
    const int x = std::max(0, std::min(left, image.cols - width));
    const int y = top - height >= 0 ? top - height : std::max(0, top);
    cv::rectangle(image, cv::Rect(x, y, width, height), colour, cv::FILLED);
    const double luma = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2];
    cv::putText(image, label, cv::Point(x + margin, y + margin + text.height), font, scale,
                cv::Scalar::all(luma > 140 ? 0 : 255), thickness, cv::LINE_AA);
}

} // namespace

gdrq_status picture_load(const char *path, picture *p, gdrq_error *err) {
    *p = {};
    const gdrq_status loaded = guarded(path, err, [&] {
        std::vector<unsigned char> bytes;
        gdrq_status status = read_bytes(path, bytes, err);
        if (status != GDRQ_OK)
            return status;
        if (jpeg_is_cut_off(bytes.data(), bytes.size()))
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: truncated: a JPEG file without its end marker", path);
        bool too_large = false;
        const cv::Mat image = decode(bytes, &too_large);
        if (too_large)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: claims more pixels than can be decoded; at most 2^28 are "
                             "supported",
                             path);
        if (image.empty())
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: not an image that can be decoded, or damaged", path);
        status = allocate(path, image.cols, image.rows, p, err);
        if (status == GDRQ_OK) {
            cv::Mat copy = as_mat(p);
            image.copyTo(copy);
        }
        return status;
    });
    if (loaded != GDRQ_OK)
        picture_free(p);
    return loaded;
}

bool picture_can_save(const char *path) {
    const char *dot = extension(path);
    return !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg") || !strcasecmp(dot, ".png");
}

gdrq_status picture_save(const picture *p, const char *path, gdrq_error *err) {
    if (!picture_can_save(path))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s: the name must end in .jpg or .png", path);
    return guarded(path, err, [&] {
        encoded file = {path, {}};
        if (!cv::imencode(extension(path), as_mat(p), file.bytes, {cv::IMWRITE_JPEG_QUALITY, 95}))
            return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: the image can't be encoded", path);
        return gdrq_write_atomically(path, write_bytes, &file, err);
    });
}

gdrq_status picture_make(int w, int h, const unsigned char bgr[3], picture *p, gdrq_error *err) {
    const gdrq_status status = allocate("picture", w, h, p, err);
    if (status != GDRQ_OK)
        return status;
    for (size_t i = 0; i < (size_t)w * h; i++)
        std::memcpy(p->data + 3 * i, bgr, 3);
    return GDRQ_OK;
}

gdrq_status picture_resize(const picture *in, int w, int h, picture *out, gdrq_error *err) {
    const gdrq_status status = allocate("resized picture", w, h, out, err);
    if (status != GDRQ_OK)
        return status;
    const gdrq_status resized = guarded("resize", err, [&] {
        cv::Mat target = as_mat(out);
        cv::resize(as_mat(in), target, target.size(), 0, 0, cv::INTER_LINEAR);
        return GDRQ_OK;
    });
    if (resized != GDRQ_OK)
        picture_free(out);
    return resized;
}

gdrq_status picture_draw_box(picture *p, float left, float top, float right, float bottom,
                             int index, const char *label, gdrq_error *err) {
    return guarded("drawing", err, [&] {
        cv::Mat image = as_mat(p);
        const int thickness = std::max(1, (int)std::lround(p->h * .006));
        const cv::Scalar colour = class_colour(index);
        const cv::Point corner(pixel(left, p->w), pixel(top, p->h));
        cv::rectangle(image, corner, cv::Point(pixel(right, p->w), pixel(bottom, p->h)), colour,
                      thickness);
        draw_label(image, corner.x, corner.y, colour, label);
        return GDRQ_OK;
    });
}

void picture_class_colour(int index, unsigned char bgr[3]) {
    const cv::Scalar colour = class_colour(index);
    for (int i = 0; i < 3; i++)
        bgr[i] = cv::saturate_cast<unsigned char>(colour[i]);
}

void picture_free(picture *p) {
    std::free(p->data);
    *p = {};
}
