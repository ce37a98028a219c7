/* Cameras, video files, streams and pipelines: whatever OpenCV's VideoCapture opens. */
#include "demo/source.h"

#include "image/picture_cv.h"

extern "C" {
#include "seconds.h"
}

#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include <cstring>
#include <strings.h>
#include <sys/stat.h>

namespace {

struct video_source : source {
    const source_request *request;
    std::string what;
    int api;
    cv::VideoCapture capture;
    cv::Mat raw;
};

video_source *video_of(source *s) {
    return static_cast<video_source *>(s);
}

bool contains(const char *text, const char *part) {
    return std::strstr(text, part) != nullptr;
}

bool is_pipeline(const char *what) {
    return contains(what, " ! ");
}

bool is_stream(const char *what) {
    return contains(what, "://") && strncmp(what, "file://", 7) != 0;
}

bool is_device(const char *what) {
    struct stat st;
    return stat(what, &st) == 0 && S_ISCHR(st.st_mode);
}

/* A film that lies on a web server is read as a file is. */
bool names_film(const char *url) {
    const std::string path(url, std::strcspn(url, "?#"));
    const auto dot = path.rfind('.');
    for (const char *known : {".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v"})
        if (dot != std::string::npos && !strcasecmp(path.c_str() + dot, known))
            return true;
    return false;
}

bool is_live(const char *what) {
    if (!what || is_device(what))
        return true;
    if (is_pipeline(what))
        return !contains(what, "filesrc") && !contains(what, "uri=file:") &&
               !contains(what, "uri=\"file:");
    return is_stream(what) && !(strncmp(what, "http", 4) == 0 && names_film(what));
}

/* What is no file of a disk: a server, a pipe. */
bool may_block(const char *what) {
    struct stat st;
    return !what || is_pipeline(what) || is_stream(what) ||
           (stat(what, &st) == 0 && !S_ISREG(st.st_mode));
}

/* Frames come out of an appsink; a live pipeline must not keep old ones there. */
std::string complete_pipeline(const char *what, bool live) {
    if (contains(what, "appsink"))
        return what;
    return std::string(what) + " ! videoconvert ! video/x-raw,format=BGR ! appsink" +
           (live ? " drop=true max-buffers=1" : " sync=false");
}

void set_camera(video_source *v) {
    const auto set = [&](int property, double value) {
        if (value > 0)
            v->capture.set(property, value);
    };
    set(cv::CAP_PROP_FRAME_WIDTH, v->request->w);
    set(cv::CAP_PROP_FRAME_HEIGHT, v->request->h);
    set(cv::CAP_PROP_FPS, v->request->fps);
    /* What lies in the driver's queue is old. Not all drivers can. */
    v->capture.set(cv::CAP_PROP_BUFFERSIZE, 1);
}

bool open_capture(video_source *v) {
    const char *what = v->request->what;
    if (!what)
        return v->capture.open(v->request->camera, cv::CAP_V4L2);
    if (v->api != cv::CAP_FFMPEG || !v->may_block)
        return v->capture.open(v->what, v->api);
    /* The end of a film can't be told from giving up: there the reader gives up before. */
    const double seconds = v->request->stall + (v->live ? 0 : 1);
    const int limit = std::max(1, static_cast<int>(seconds * 1000));
    return v->capture.open(
        v->what, v->api,
        {cv::CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv::CAP_PROP_READ_TIMEOUT_MSEC, limit});
}

gdrq_status fail_to_open(const video_source *v, gdrq_error *err) {
    const char *what = v->request->what, *name = v->name;
    struct stat st;
    if (!what || is_device(what))
        return gdrq_fail(err, GDRQ_ERROR_IO,
                         "%s can't be opened: is it there, and may you read it (group video)?",
                         name);
    if (is_pipeline(what))
        return gdrq_fail(err, GDRQ_ERROR_IO,
                         "%s: GStreamer can't run this pipeline (gst-launch-1.0 tells why)", name);
    if (is_stream(what))
        return gdrq_fail(err, GDRQ_ERROR_IO, "%s: the stream can't be opened", name);
    if (stat(what, &st) != 0)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't be opened", name);
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: not a video that can be decoded, or damaged",
                     name);
}

gdrq_status open_video(source *s, gdrq_error *err) {
    auto *v = video_of(s);
    return guarded(s->name, err, [&] {
        v->capture.release();
        if (!open_capture(v))
            return fail_to_open(v, err);
        if (s->is_camera)
            set_camera(v);
        const double fps = v->capture.get(cv::CAP_PROP_FPS);
        s->fps = fps > 0 && fps <= 1000 ? fps : 0;
        return GDRQ_OK;
    });
}

/* As 8-bit BGR, into the caller's memory. */
gdrq_status hand_over(const cv::Mat &raw, frame_buffer *frame, const char *name, gdrq_error *err) {
    const gdrq_status status = frame_buffer_size(frame, raw.cols, raw.rows, err);
    if (status != GDRQ_OK)
        return status;
    cv::Mat target = as_mat(&frame->picture);
    switch (raw.type()) {
    case CV_8UC3:
        raw.copyTo(target);
        return GDRQ_OK;
    case CV_8UC1:
        cv::cvtColor(raw, target, cv::COLOR_GRAY2BGR);
        return GDRQ_OK;
    case CV_8UC4:
        cv::cvtColor(raw, target, cv::COLOR_BGRA2BGR);
        return GDRQ_OK;
    default:
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: frames are not of 8 bits per channel", name);
    }
}

/* VideoCapture writes into a matrix of the right size and type: then nothing is copied. */
bool read_frame(video_source *v, frame_buffer *frame, double *captured) {
    v->raw = frame->picture.data ? as_mat(&frame->picture) : cv::Mat();
    if (!v->capture.grab())
        return false;
    *captured = seconds_now();
    return v->capture.retrieve(v->raw) && !v->raw.empty();
}

source_event next_video(source *s, frame_buffer *frame, double *captured, gdrq_error *err) {
    auto *v = video_of(s);
    bool ended = false;
    const gdrq_status status = guarded(s->name, err, [&] {
        if (!read_frame(v, frame, captured)) {
            ended = !s->live;
            return ended ? GDRQ_OK : gdrq_fail(err, GDRQ_ERROR_IO, "%s: no more frames", s->name);
        }
        return v->raw.data == frame->picture.data ? GDRQ_OK
                                                  : hand_over(v->raw, frame, s->name, err);
    });
    return ended ? SOURCE_END : status == GDRQ_OK ? SOURCE_FRAME : SOURCE_LOST;
}

void free_video(source *s) {
    delete video_of(s);
}

} // namespace

gdrq_status source_video_make(source_request *request, source **made, gdrq_error *err) {
    static const source_methods methods = {open_video, next_video, free_video};
    return guarded(request->name, err, [&] {
        const char *what = request->what;
        auto *v = new video_source();
        v->request = request;
        v->methods = &methods;
        v->name = request->name;
        v->live = is_live(what);
        v->may_block = v->live || may_block(what);
        v->is_camera = !what || is_device(what);
        v->api = v->is_camera        ? static_cast<int>(cv::CAP_V4L2)
                 : is_pipeline(what) ? static_cast<int>(cv::CAP_GSTREAMER)
                                     : static_cast<int>(cv::CAP_FFMPEG);
        v->what = !what ? "" : is_pipeline(what) ? complete_pipeline(what, v->live) : what;
        *made = v;
        return GDRQ_OK;
    });
}
