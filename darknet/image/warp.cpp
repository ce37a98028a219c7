#include "image/warp.h"

#include "image/picture_cv.h"

#include <opencv2/imgproc.hpp>

#include <cmath>

namespace {

struct point {
    double x, y;
};

point source_of(const picture_map *m, double u, double v) {
    return {m->xu * u + m->xv * v + m->x0, m->yu * u + m->yv * v + m->y0};
}

/* A coordinate in whole pixels, within -1..size+1, so that any double fits. */
int pixel(double x, int size) {
    return (int)std::clamp(x, -1., size + 1.);
}

/*
 * The part of a picture of w x h pixels that the result reads: OpenCV's coordinates are 16 bits
 * wide, so a large picture can't be given to it whole.
 */
cv::Rect part_read(const picture_map *m, int out_w, int out_h, int w, int h) {
    const point corners[] = {source_of(m, 0, 0), source_of(m, out_w, 0), source_of(m, 0, out_h),
                             source_of(m, out_w, out_h)};
    point low = corners[0], high = corners[0];
    for (const point &c : corners) {
        low = {std::min(low.x, c.x), std::min(low.y, c.y)};
        high = {std::max(high.x, c.x), std::max(high.y, c.y)};
    }
    const int left = pixel(std::floor(low.x) - 2, w), right = pixel(std::ceil(high.x) + 2, w);
    const int top = pixel(std::floor(low.y) - 2, h), bottom = pixel(std::ceil(high.y) + 2, h);
    return cv::Rect(left, top, right - left, bottom - top) & cv::Rect(0, 0, w, h);
}

/* The same map for pixels that are counted at their centres, from the part's first one. */
cv::Matx23d index_map(const picture_map *m, const cv::Rect &part) {
    const point first = source_of(m, .5, .5);
    return cv::Matx23d(m->xu, m->xv, first.x - .5 - part.x, m->yu, m->yv, first.y - .5 - part.y);
}

} // namespace

gdrq_status picture_warp(const picture *in, const picture_map *map, int w, int h,
                         unsigned char ground, picture *out, gdrq_error *err) {
    const unsigned char grey[3] = {ground, ground, ground};
    gdrq_status status = picture_make(w, h, grey, out, err);
    if (status != GDRQ_OK)
        return status;
    const cv::Rect part = part_read(map, w, h, in->w, in->h);
    if (part.empty())
        return GDRQ_OK;
    status = guarded("warp", err, [&] {
        cv::Mat target = as_mat(out);
        cv::warpAffine(as_mat(in)(part), target, index_map(map, part), target.size(),
                       cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT,
                       cv::Scalar::all(ground));
        return GDRQ_OK;
    });
    if (status != GDRQ_OK)
        picture_free(out);
    return status;
}
