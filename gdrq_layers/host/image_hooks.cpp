#include "host/image_hooks.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include <opencv2/imgcodecs.hpp>

extern "C" {
#include "base/alloc.h"
#include "base/status.h"
}

namespace {

/* OpenCV's own words for what it can't open go to stderr; ours go to the caller, so look first. */
gdrq_status check_readable(const char *filename, gdrq_error *err) {
    const int fd = open(filename, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open the image", filename);
    struct stat info;
    const int failed = fstat(fd, &info);
    close(fd);
    if (failed || !S_ISREG(info.st_mode))
        return gdrq_fail(err, GDRQ_ERROR_IO, "%s: not a regular file", filename);
    if (info.st_size == 0)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: the image file is empty", filename);
    return GDRQ_OK;
}

int imread_flag(int channels) {
    switch (channels) {
    case 1:
        return cv::IMREAD_GRAYSCALE;
    case 3:
        return cv::IMREAD_COLOR;
    default:
        return cv::IMREAD_UNCHANGED;
    }
}

/* OpenCV's messages have several lines, so they stay out of ours. */
gdrq_status undecodable(const char *filename, gdrq_error *err) {
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%s: OpenCV can't decode it: not an image, damaged, or too large", filename);
}

gdrq_status check_pixels(const cv::Mat &pixels, const char *filename, int channels,
                         gdrq_error *err) {
    if (pixels.empty())
        return undecodable(filename, err);
    const int found = pixels.channels();
    if (channels != 0 && found != channels)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: has %d channels, not the %d that were asked for", filename, found,
                         channels);
    if (pixels.depth() != CV_8U && pixels.depth() != CV_16U)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: samples are neither 8 nor 16 bit; convert the image", filename);
    if (static_cast<double>(pixels.rows) * pixels.cols * found > INT_MAX)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %d x %d pixels are too many; scale it down",
                         filename, pixels.cols, pixels.rows);
    return GDRQ_OK;
}

/* Interleaved BGR(A) samples of [0, largest] to planar RGB(A) floats of [0, 1]. */
template <typename Sample> void to_planes(const cv::Mat &pixels, double largest, float *planes) {
    const int channels = pixels.channels();
    const std::size_t plane = static_cast<std::size_t>(pixels.rows) * pixels.cols;
    for (int c = 0; c < channels; c++) {
        const int source = channels >= 3 && c < 3 ? 2 - c : c;
        float *out = planes + c * plane;
        for (int y = 0; y < pixels.rows; y++) {
            const Sample *const row = pixels.ptr<Sample>(y);
            for (int x = 0; x < pixels.cols; x++)
                *out++ = static_cast<float>(row[x * channels + source] / largest);
        }
    }
}

gdrq_status to_image(const cv::Mat &pixels, const char *filename, image *out, gdrq_error *err) {
    const int channels = pixels.channels();
    const std::size_t samples = pixels.total() * channels;
    float *const planes = static_cast<float *>(gdrq_alloc(samples, sizeof(float)));
    if (!planes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory for %d x %d pixels", filename,
                         pixels.cols, pixels.rows);
    if (pixels.depth() == CV_8U)
        to_planes<unsigned char>(pixels, 255., planes);
    else
        to_planes<unsigned short>(pixels, 65535., planes);
    *out = image{pixels.cols, pixels.rows, channels, planes};
    return GDRQ_OK;
}

gdrq_status load(const char *filename, int channels, image *out, gdrq_error *err) {
    if (const gdrq_status status = check_readable(filename, err))
        return status;
    const cv::Mat pixels = cv::imread(filename, imread_flag(channels));
    if (const gdrq_status status = check_pixels(pixels, filename, channels, err))
        return status;
    return to_image(pixels, filename, out, err);
}

bool is_set(const char *variable) {
    const char *const value = std::getenv(variable);
    return value && *value;
}

/* Qt platforms that draw to memory, to a device or to a network of their own. */
bool platform_needs_no_display() {
    const char *const platform = std::getenv("QT_QPA_PLATFORM");
    if (!platform)
        return false;
    const std::size_t length = std::strcspn(platform, ":;"); /* "vnc:size=640x480", "eglfs;xcb" */
    for (const char *const name : {"offscreen", "minimal", "vnc", "linuxfb", "eglfs"}) {
        if (std::strlen(name) == length && std::strncmp(platform, name, length) == 0)
            return true;
    }
    return false;
}

} // namespace

gdrq_status gdrq_load_image(const char *filename, int channels, image *out, gdrq_error *err) {
    if (!out)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "load_image: no place for the image");
    *out = image{};
    if (!filename || channels < 0)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "load_image: no file name, or %d channels",
                         channels);
    try {
        return load(filename, channels, out, err);
    } catch (const std::bad_alloc &) {
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory for the image", filename);
    } catch (const cv::Exception &failure) {
        if (failure.code == cv::Error::StsNoMem)
            return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory for the image", filename);
        return undecodable(filename, err);
    } catch (...) {
        return undecodable(filename, err);
    }
}

bool gdrq_have_display(void) {
    return is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") || platform_needs_no_display();
}
