#include "demo/video_writer.h"

#include "image/picture_cv.h"

#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <cmath>
#include <fcntl.h>
#include <memory>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace {

const char *extension(const char *path) {
    const char *slash = std::strrchr(path, '/'), *dot = std::strrchr(slash ? slash : path, '.');
    return dot ? dot : "";
}

/* 0: none that we write. */
int codec_for(const char *path) {
    const char *end = extension(path);
    if (!strcasecmp(end, ".avi"))
        return cv::VideoWriter::fourcc('M', 'J', 'P', 'G');
    if (!strcasecmp(end, ".mp4"))
        return cv::VideoWriter::fourcc('m', 'p', '4', 'v');
    return strcasecmp(end, ".mkv") ? 0 : cv::VideoWriter::fourcc('F', 'M', 'P', '4');
}

/* OpenCV tells the container by the name's end. */
std::string temporary_name(const char *path) {
    const std::string end = extension(path), whole = path;
    return whole.substr(0, whole.size() - end.size()) + ".part-" + std::to_string(getpid()) + end;
}

bool sync_file(const std::string &path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

} // namespace

struct video_writer {
    std::string path, temporary;
    cv::VideoWriter writer;
    cv::Size size;
    cv::Mat resized;
    long frames = 0;

    ~video_writer() {
        writer.release();
        if (!temporary.empty())
            unlink(temporary.c_str());
    }
};

namespace {

/*
 * OpenCV says nothing of writes that fail, and a film of hours should not be lost to a full disk:
 * it ends while there is room for the container's end and for what FFmpeg still holds back. No
 * codec makes a frame larger than its pixels are.
 */
constexpr unsigned long long least_reserve = 8 << 20; /* bytes */
constexpr unsigned long long reserved_frames = 4;

gdrq_status check_room(const video_writer *v, gdrq_error *err) {
    struct statvfs disk;
    const auto pixels = static_cast<unsigned long long>(v->size.area());
    const unsigned long long reserve = std::max(least_reserve, reserved_frames * 3 * pixels);
    if (statvfs(v->temporary.c_str(), &disk) != 0 ||
        static_cast<unsigned long long>(disk.f_bavail) * disk.f_frsize >= reserve)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_IO,
                     "%s: the disk is nearly full: the video ends after %ld frames",
                     v->path.c_str(), v->frames);
}

/* That all frames can be found again tells that they were written. */
gdrq_status check_written(const video_writer *v, gdrq_error *err) {
    cv::VideoCapture back(v->temporary, cv::CAP_FFMPEG);
    const long found = back.isOpened() ? std::lround(back.get(cv::CAP_PROP_FRAME_COUNT)) : -1;
    if (found >= v->frames)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_IO,
                     "%.300s: not all of the %ld frames could be written: is the disk full?",
                     v->path.c_str(), v->frames);
}

/* What was written, though not all, may be all that there is of a film. False: it is empty. */
bool keep_temporary(const video_writer *v, gdrq_error *err) {
    struct stat st;
    if (stat(v->temporary.c_str(), &st) != 0 || st.st_size == 0)
        return false;
    const std::string why = err->message;
    gdrq_fail(err, GDRQ_ERROR_IO, "%.600s (what there is of it: %.300s)", why.c_str(),
              v->temporary.c_str());
    return true;
}

} // namespace

gdrq_status video_writer_check(const char *path, gdrq_error *err) {
    return codec_for(path) ? GDRQ_OK
                           : gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                                       "%s: a video's name must end in .avi, .mp4 or .mkv", path);
}

gdrq_status video_writer_open(const char *path, int w, int h, double fps, video_writer **opened,
                              gdrq_error *err) {
    *opened = nullptr;
    const gdrq_status status = video_writer_check(path, err);
    if (status != GDRQ_OK)
        return status;
    return guarded(path, err, [&] {
        auto v = std::make_unique<video_writer>();
        v->path = path;
        v->temporary = temporary_name(path);
        v->size = cv::Size(w, h);
        if (!v->writer.open(v->temporary, cv::CAP_FFMPEG, codec_for(path), fps, v->size))
            return gdrq_fail(err, GDRQ_ERROR_IO, "%s: can't write a video of %d x %d there", path,
                             w, h);
        *opened = v.release();
        return GDRQ_OK;
    });
}

gdrq_status video_writer_add(video_writer *v, const picture *p, gdrq_error *err) {
    return guarded(v->path.c_str(), err, [&] {
        const gdrq_status status = check_room(v, err);
        if (status != GDRQ_OK)
            return status;
        const cv::Mat image = as_mat(p);
        if (image.size() == v->size) {
            v->writer.write(image);
        } else {
            cv::resize(image, v->resized, v->size, 0, 0, cv::INTER_LINEAR);
            v->writer.write(v->resized);
        }
        v->frames++;
        return GDRQ_OK;
    });
}

gdrq_status video_writer_finish(video_writer *v, gdrq_error *err) {
    const std::unique_ptr<video_writer> owned(v);
    return guarded(v->path.c_str(), err, [&] {
        v->writer.release();
        gdrq_status status = check_written(v, err);
        if (status == GDRQ_OK &&
            (!sync_file(v->temporary) || rename(v->temporary.c_str(), v->path.c_str()) != 0))
            status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%.300s: can't write", v->path.c_str());
        if (status != GDRQ_OK && !keep_temporary(v, err))
            return status;
        v->temporary.clear();
        return status;
    });
}
