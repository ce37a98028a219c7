#include "each_picture.h"

#include "base/status.h"
#include "report.h"

gdrq_status each_picture(const picture_paths *paths, picture_work *work, void *user,
                         gdrq_error *err) {
    int bad = 0;
    for (int i = 0; i < paths->n; i++) {
        bool unreadable = false;
        const gdrq_status status = work(user, paths->at[i], &unreadable, err);
        if (status == GDRQ_OK)
            continue;
        if (!unreadable || paths->n == 1)
            return status;
        report_error(err);
        bad++;
    }
    return bad ? gdrq_fail(err, GDRQ_ERROR_IO, "%d of %d pictures could not be read", bad, paths->n)
               : GDRQ_OK;
}
