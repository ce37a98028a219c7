/* For what is written with OpenCV behind the C headers of this folder; C++ only. */
#ifndef DARKNET_IMAGE_PICTURE_CV_H
#define DARKNET_IMAGE_PICTURE_CV_H

#include "image/picture.h"

extern "C" {
#include "base/status.h"
}

#include <opencv2/core.hpp>

#include <algorithm>
#include <new>
#include <string>

/* The picture's own pixels. */
inline cv::Mat as_mat(const picture *p) {
    return cv::Mat(p->h, p->w, CV_8UC3, p->data);
}

/* Runs `work`, which returns a gdrq_status; no exception leaves. */
template <typename Work>
gdrq_status guarded(const char *what, gdrq_error *err, Work work) noexcept {
    try {
        return work();
    } catch (const cv::Exception &e) {
        std::string reason = e.err;
        std::replace(reason.begin(), reason.end(), '\n', ' ');
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %s", what, reason.c_str());
    } catch (const std::bad_alloc &) {
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", what);
    } catch (const std::exception &e) {
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %s", what, e.what());
    }
}

#endif
