#include "commands.h"
#include "demo/demo.h"

#include "demo/demo_help.h"

#include <limits.h>

static gdrq_status open_task(const char *const *files, const demo_options *o, demo_task **task,
                             gdrq_error *err) {
    return classifier_task_open(files[0], files[1], files[2], o->average, o->top, task, err);
}

int cmd_classifier_demo(int argc, char **argv) {
    demo_options o = demo_defaults();
    const demo_verb verb = {
        .name = "classifier demo",
        .help = "Tells the likeliest classes of a video's frames, live or from a file.\n" DEMO_HELP(
            DEMO_THRESHOLD_KEYS),
        .flag = {.name = "t",
                 .value_name = "N",
                 .integer = &o.top,
                 .max = INT_MAX,
                 .help = "how many classes to tell; 0: top= of DATA, or 1"},
        .open = open_task};
    return demo_command(&verb, &o, argc, argv);
}
