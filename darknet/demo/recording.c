#include "demo/recording.h"

#include "base/status.h"

static const double usual_fps = 25;
static const double longest_gap = 1; /* seconds: while a camera is away the video stands still */

recording recording_of(const char *path, double fps, bool live) {
    return (recording){.path = path, .fps = fps > 0 ? fps : usual_fps, .live = live};
}

/* How often the frame is written. */
static int copies(recording *r, double captured) {
    if (!r->live)
        return 1;
    const double gap = captured - r->last;
    /* The first frame stands for its own time. */
    r->owed += r->last > 0 ? (gap < longest_gap ? gap : longest_gap) * r->fps : 1;
    r->last = captured;
    const int n = r->owed >= .5 ? (int)(r->owed + .5) : 0;
    r->owed -= n;
    return n;
}

gdrq_status recording_add(recording *r, const picture *p, double captured, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    if (!r->writer)
        status = video_writer_open(r->path, p->w, p->h, r->fps, &r->writer, err);
    for (int n = status == GDRQ_OK ? copies(r, captured) : 0; n > 0 && status == GDRQ_OK; n--)
        status = video_writer_add(r->writer, p, err);
    return status;
}

gdrq_status recording_finish(recording *r, gdrq_error *err) {
    if (!r->writer)
        return gdrq_fail(err, GDRQ_ERROR_STATE, "%s: not written, since there was no frame",
                         r->path);
    video_writer *writer = r->writer;
    r->writer = NULL;
    return video_writer_finish(writer, err);
}
