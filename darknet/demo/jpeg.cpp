#include "demo/jpeg.h"

#include "image/picture_cv.h"

#include <opencv2/imgcodecs.hpp>

#include <cstdlib>
#include <cstring>
#include <vector>

gdrq_status jpeg_encode(const picture *p, int quality, jpeg_buffer *out, gdrq_error *err) {
    return guarded("JPEG", err, [&] {
        /* One per thread, so that its memory is kept. */
        thread_local std::vector<unsigned char> bytes;
        out->n = 0;
        if (!cv::imencode(".jpg", as_mat(p), bytes, {cv::IMWRITE_JPEG_QUALITY, quality}))
            return gdrq_fail(err, GDRQ_ERROR_FORMAT, "JPEG: the picture can't be encoded");
        if (bytes.size() > out->room) {
            jpeg_free(out);
            out->data = static_cast<unsigned char *>(std::malloc(2 * bytes.size()));
            if (!out->data)
                return gdrq_fail(err, GDRQ_ERROR_MEMORY, "JPEG: out of memory");
            out->room = 2 * bytes.size();
        }
        std::memcpy(out->data, bytes.data(), bytes.size());
        out->n = bytes.size();
        return GDRQ_OK;
    });
}

void jpeg_free(jpeg_buffer *buffer) {
    std::free(buffer->data);
    *buffer = {};
}
