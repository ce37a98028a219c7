#include "image/canvas.h"

#include "image/picture_cv.h"

#include <opencv2/imgproc.hpp>

#include <cmath>
#include <vector>

namespace {

/*
 * Shapes are drawn without anti-aliasing, `fine` times as large, into a mask; its mean over fine x
 * fine cells is how much of a pixel a shape covers. OpenCV's own anti-aliasing knows neither
 * opacity nor widths between whole pixels.
 */
constexpr int fine = 4;
constexpr int shift = 4; /* fractional bits of OpenCV's coordinates */
constexpr float far = 1e5f;
constexpr int font_face = cv::FONT_HERSHEY_SIMPLEX;
constexpr double capital_height = 21; /* of Hershey's fonts at scale 1 */

/* In cells of the mask whose left upper pixel is `origin`, as OpenCV's drawing wants it. */
cv::Point cell(canvas_point p, cv::Point origin) {
    const auto fixed = [](float at, int from) {
        const float inside = std::clamp(at, -far, far);
        /* OpenCV means cell centres, we mean corners. */
        return (int)std::lround(((inside - (float)from) * fine - .5f) * (1 << shift));
    };
    return cv::Point(fixed(p.x, origin.x), fixed(p.y, origin.y));
}

/* The pixels of the picture that a box, widened by `margin`, touches. */
cv::Rect touched(const picture *p, float left, float top, float right, float bottom, float margin) {
    const auto whole = [](float at, int size) { return (int)std::clamp(at, 0.f, (float)size); };
    const int x0 = whole(std::floor(left - margin), p->w),
              y0 = whole(std::floor(top - margin), p->h);
    const int x1 = whole(std::ceil(right + margin), p->w);
    const int y1 = whole(std::ceil(bottom + margin), p->h);
    return cv::Rect(x0, y0, std::max(0, x1 - x0), std::max(0, y1 - y0));
}

/* coverage and opacity 0..255; exact at both ends */
unsigned char blend(unsigned char below, unsigned char above, int opacity) {
    return (unsigned char)((below * (255 - opacity) + above * opacity + 127) / 255);
}

void paint(unsigned char *pixel, canvas_colour colour, int coverage) {
    const int opacity = (coverage * colour.opacity + 127) / 255;
    pixel[0] = blend(pixel[0], colour.b, opacity);
    pixel[1] = blend(pixel[1], colour.g, opacity);
    pixel[2] = blend(pixel[2], colour.r, opacity);
}

void paint_mask(picture *p, const cv::Rect &area, const cv::Mat &mask, canvas_colour colour) {
    cv::Mat coverage;
    cv::resize(mask, coverage, area.size(), 0, 0, cv::INTER_AREA);
    for (int y = 0; y < area.height; y++) {
        const unsigned char *covered = coverage.ptr(y);
        unsigned char *row = p->data + 3 * ((size_t)(area.y + y) * p->w + area.x);
        for (int x = 0; x < area.width; x++)
            if (covered[x])
                paint(row + 3 * x, colour, covered[x]);
    }
}

/* `draw` gets the mask of `area` and the pixel at its corner. */
template <typename Draw>
void masked(canvas *c, const cv::Rect &area, canvas_colour colour, Draw draw) {
    if (c->status != GDRQ_OK || area.empty())
        return;
    c->status = guarded("drawing", c->err, [&] {
        cv::Mat mask = cv::Mat::zeros(area.height * fine, area.width * fine, CV_8U);
        draw(mask, area.tl());
        paint_mask(c->on, area, mask, colour);
        return GDRQ_OK;
    });
}

/* How much of pixel [at, at + 1) lies in [from, to], 0..1. */
float covered(int at, float from, float to) {
    return std::max(0.f, std::min(to, (float)at + 1) - std::max(from, (float)at));
}

double font_scale(canvas_font font) {
    return font.size * fine / capital_height;
}

/* Of the pen, in cells. */
int stroke(canvas_font font) {
    return std::max(1, (int)std::lround(font.size * fine * (font.bold ? .2 : .125)));
}

/*
 * Calls piece(text, left) for what lies between hyphens and hyphen(left) for these, left in cells;
 * returns the width in cells. Hershey's own hyphen is a minus sign, as wide as a capital.
 */
template <typename Piece, typename Hyphen>
float set_text(canvas_font font, const std::string &text, Piece piece, Hyphen hyphen) {
    float left = 0;
    for (size_t begin = 0; begin < text.size();) {
        if (text[begin] == '-') {
            hyphen(left);
            left += font.size * fine * .7f;
            begin++;
            continue;
        }
        const size_t end = std::min(text.find('-', begin), text.size());
        const std::string part = text.substr(begin, end - begin);
        int below;
        piece(part, left);
        left +=
            (float)cv::getTextSize(part, font_face, font_scale(font), stroke(font), &below).width;
        begin = end;
    }
    return left;
}

} // namespace

void canvas_fill(canvas *c, float left, float top, float right, float bottom,
                 canvas_colour colour) {
    if (c->status != GDRQ_OK)
        return;
    const cv::Rect area = touched(c->on, left, top, right, bottom, 0);
    for (int y = area.y; y < area.y + area.height; y++)
        for (int x = area.x; x < area.x + area.width; x++) {
            const float share = covered(x, left, right) * covered(y, top, bottom);
            paint(c->on->data + 3 * ((size_t)y * c->on->w + x), colour, (int)(share * 255 + .5f));
        }
}

void canvas_line(canvas *c, const canvas_point *points, int n, float width, canvas_colour colour) {
    if (n < 1)
        return;
    float left = points[0].x, right = left, top = points[0].y, bottom = top;
    for (int i = 1; i < n; i++) {
        left = std::min(left, points[i].x);
        right = std::max(right, points[i].x);
        top = std::min(top, points[i].y);
        bottom = std::max(bottom, points[i].y);
    }
    const cv::Rect area = touched(c->on, left, top, right, bottom, width / 2 + 1);
    masked(c, area, colour, [&](cv::Mat &mask, cv::Point origin) {
        std::vector<cv::Point> cells((size_t)n);
        std::transform(points, points + n, cells.begin(),
                       [&](canvas_point p) { return cell(p, origin); });
        const int thickness = std::max(1, (int)std::lround(width * fine));
        cv::polylines(mask, cells, false, cv::Scalar(255), thickness, cv::LINE_8, shift);
    });
}

void canvas_disc(canvas *c, canvas_point centre, float radius, canvas_colour colour) {
    const cv::Rect area = touched(c->on, centre.x, centre.y, centre.x, centre.y, radius + 1);
    masked(c, area, colour, [&](cv::Mat &mask, cv::Point origin) {
        cv::circle(mask, cell(centre, origin), (int)std::lround(radius * fine * (1 << shift)),
                   cv::Scalar(255), cv::FILLED, cv::LINE_8, shift);
    });
}

void canvas_text(canvas *c, canvas_point at, canvas_align align, canvas_font font,
                 canvas_colour colour, const char *text) {
    const float width = canvas_text_width(font, text);
    const float left = at.x - (align == CANVAS_LEFT    ? 0
                               : align == CANVAS_RIGHT ? width
                                                       : width / 2);
    const cv::Rect area = touched(c->on, left, at.y - font.size, left + width, at.y, font.size);
    masked(c, area, colour, [&](cv::Mat &mask, cv::Point origin) {
        const float x = (left - (float)origin.x) * fine, y = (at.y - (float)origin.y) * fine;
        const auto point = [&](float right, float up) {
            return cv::Point((int)std::lround(x + right), (int)std::lround(y - up));
        };
        const float em = font.size * fine;
        set_text(
            font, text,
            [&](const std::string &part, float begin) {
                cv::putText(mask, part, point(begin, 0), font_face, font_scale(font),
                            cv::Scalar(255), stroke(font), cv::LINE_8);
            },
            [&](float begin) {
                cv::line(mask, point(begin + em * .12f, em * .4f),
                         point(begin + em * .5f, em * .4f), cv::Scalar(255), stroke(font),
                         cv::LINE_8);
            });
    });
}

float canvas_text_width(canvas_font font, const char *text) {
    float cells = 0;
    const auto ignore_piece = [](const std::string &, float) {};
    const auto ignore_hyphen = [](float) {};
    if (guarded("text", nullptr, [&] {
            cells = set_text(font, text, ignore_piece, ignore_hyphen);
            return GDRQ_OK;
        }) != GDRQ_OK)
        return 0;
    return cells / fine;
}
