/* The part of the help that all demos have. */
#ifndef DARKNET_DEMO_DEMO_HELP_H
#define DARKNET_DEMO_DEMO_HELP_H

/* THRESHOLD_KEYS: what the window's arrow keys do, or "". */
#define DEMO_HELP(THRESHOLD_KEYS)                                                                  \
    "SOURCE is a camera's number or device, a video file, a folder of pictures, a list (.txt) or " \
    "a "                                                                                           \
    "pattern\n"                                                                                    \
    "('*.jpg') of them, a URL (rtsp://, http://) or a GStreamer pipeline ('videotestsrc ! "        \
    "...'); without it,\n"                                                                         \
    "the camera of -c. Of a camera or stream the newest frame counts, and one that is lost is "    \
    "opened anew; of a\n"                                                                          \
    "file all frames count. Keys of the window: Esc or q ends, p pauses, s saves the frame to "    \
    "demo_NUMBER.jpg" THRESHOLD_KEYS ".\n"                                                         \
    "Ctrl-C ends with all files complete."

#define DEMO_THRESHOLD_KEYS ",\nup and down change -thresh, right and left -hier"

#endif
