#include "commands.h"
#include "demo/demo.h"
#include "demo/demo_help.h"
#include "segmenter.h"

static gdrq_status open_task(const char *const *files, const demo_options *o, demo_task **task,
                             gdrq_error *err) {
    return segmenter_task_open(files[0], files[1], files[2], o->opacity, task, err);
}

/* Of the other demos, or of the stock command. */
static const arg_refusal refused[] = {
    {"thresh", "every pixel has its likeliest class, whatever the score"},
    {"hier", "classes of pixels have no tree"},
    {"nms", "pixels don't overlap as boxes do"},
    {"avg", "each frame's pixels are found by themselves"},
    {"t", "all classes that occur are told"},
};

int cmd_segmenter_demo(int argc, char **argv) {
    demo_options o = demo_defaults();
    o.findings = DEMO_SHARES;
    const demo_verb verb = {
        .name = "segmenter demo",
        .help = "Finds the class of every pixel of a video, live or from a file, and draws them "
                "over it in the colours of\npalette=.\n" DEMO_HELP(""),
        .flag = segmenter_opacity_flag(&o.opacity),
        .refused = refused,
        .n_refused = sizeof refused / sizeof *refused,
        .open = open_task};
    return demo_command(&verb, &o, argc, argv);
}
