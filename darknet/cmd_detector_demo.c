#include "commands.h"
#include "demo/demo.h"

#include "demo/demo_help.h"

static gdrq_status open_task(const char *const *files, const demo_options *o, demo_task **task,
                             gdrq_error *err) {
    return detector_task_open(files[0], files[1], files[2], o->average, task, err);
}

int cmd_detector_demo(int argc, char **argv) {
    demo_options o = demo_defaults();
    o.thresh = .5f;
    const demo_verb verb = {
        .name = "detector demo",
        .help = "Detects objects in a video, live or from a file.\n" DEMO_HELP(DEMO_THRESHOLD_KEYS),
        .flag = {.name = "hier",
                 .value_name = "P",
                 .real = &o.hier,
                 .max = 1,
                 .help = "the same for going down a tree of classes"},
        .open = open_task};
    return demo_command(&verb, &o, argc, argv);
}
