#include "demo/window.h"

#include "image/picture_cv.h"

#include <opencv2/highgui.hpp>

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

namespace {

/* Qt ends the process if it can't connect, so that somebody else has to try first. */
bool x_answers() {
    using open_display = void *(*)(const char *);
    using close_display = int (*)(void *);
    void *library = dlopen("libX11.so.6", RTLD_LAZY | RTLD_LOCAL);
    if (!library)
        return false;
    const auto open = reinterpret_cast<open_display>(dlsym(library, "XOpenDisplay"));
    const auto close = reinterpret_cast<close_display>(dlsym(library, "XCloseDisplay"));
    void *display = open && close ? open(nullptr) : nullptr;
    if (display)
        close(display);
    dlclose(library);
    return display != nullptr;
}

window_key meaning(int code) {
    enum { ESCAPE = 27, LEFT = 65361, UP, RIGHT, DOWN };
    switch (code) {
    case ESCAPE:
    case 'q':
        return WINDOW_QUIT;
    case 'p':
    case ' ':
        return WINDOW_PAUSE;
    case 's':
        return WINDOW_SAVE;
    case UP:
        return WINDOW_THRESH_UP;
    case DOWN:
        return WINDOW_THRESH_DOWN;
    case RIGHT:
        return WINDOW_HIER_UP;
    case LEFT:
        return WINDOW_HIER_DOWN;
    default:
        return WINDOW_NOTHING;
    }
}

} // namespace

bool window_is_possible(void) {
    const char *platform = std::getenv("QT_QPA_PLATFORM"), *display = std::getenv("DISPLAY");
    if (platform && (!std::strcmp(platform, "offscreen") || !std::strcmp(platform, "minimal")))
        return true;
    return display && *display && x_answers();
}

gdrq_status window_open(const char *title, bool fullscreen, gdrq_error *err) {
    return guarded("window", err, [&] {
        cv::namedWindow(title, cv::WINDOW_NORMAL | cv::WINDOW_KEEPRATIO);
        /* Qt takes over the user's locale, in which numbers may have a comma. */
        std::setlocale(LC_NUMERIC, "C");
        if (fullscreen)
            cv::setWindowProperty(title, cv::WND_PROP_FULLSCREEN, cv::WINDOW_FULLSCREEN);
        return GDRQ_OK;
    });
}

gdrq_status window_show(const char *title, const picture *p, gdrq_error *err) {
    return guarded("window", err, [&] {
        cv::imshow(title, as_mat(p));
        return GDRQ_OK;
    });
}

window_key window_poll(const char *title) {
    window_key key = WINDOW_QUIT;
    guarded("window", nullptr, [&] {
        key = meaning(cv::waitKeyEx(1));
        /* Some builds can't tell, and say -1. */
        if (cv::getWindowProperty(title, cv::WND_PROP_VISIBLE) == 0)
            key = WINDOW_QUIT;
        return GDRQ_OK;
    });
    return key;
}

void window_close(const char *title) {
    guarded("window", nullptr, [&] {
        cv::destroyWindow(title);
        return GDRQ_OK;
    });
}
