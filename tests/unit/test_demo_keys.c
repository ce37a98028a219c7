/* What the keys of the window do, with keys that a script presses in place of a window. */
#include "base/status.h"
#include "demo/demo.h"
#include "demo/window.h"
#include "temporary_folder.h"

#include <math.h>

enum { PRESSES = 80 };

static struct {
    window_key keys[PRESSES]; /* one for each time that somebody looks; then it quits */
    int n, next;
    unsigned long shown, when_saved; /* numbers of frames */
    float lowest;                    /* threshold of all */
} script;

bool __wrap_window_is_possible(void) {
    return true;
}

gdrq_status __wrap_window_open(const char *title, bool fullscreen, gdrq_error *err) {
    (void)title, (void)fullscreen, (void)err;
    return GDRQ_OK;
}

gdrq_status __wrap_window_show(const char *title, const picture *p, gdrq_error *err) {
    (void)title, (void)err;
    script.shown = (unsigned long)(p->data[0] | p->data[1] << 8 | p->data[2] << 16);
    return GDRQ_OK;
}

/* Nothing is pressed before there is something to see. */
window_key __wrap_window_poll(const char *title) {
    (void)title;
    if (script.shown < 3)
        return WINDOW_NOTHING;
    const window_key key = script.next < script.n ? script.keys[script.next++] : WINDOW_QUIT;
    if (key == WINDOW_SAVE)
        script.when_saved = script.shown;
    return key;
}

void __wrap_window_close(const char *title) {
    (void)title;
}

static gdrq_status infer(demo_task *task, const gdrq_pixels *fitted, int frame_w, int frame_h,
                         demo_thresholds thresholds, demo_result *result, double *seconds,
                         gdrq_error *err) {
    (void)task, (void)fitted, (void)frame_w, (void)frame_h;
    *seconds = 0;
    script.lowest = fminf(script.lowest, thresholds.thresh);
    return demo_result_keep_boxes(result, NULL, 0, thresholds.thresh, err);
}

static void forget(demo_task *task) {
    (void)task;
}

static gdrq_status draw(demo_task *task, const demo_result *result, picture *p, gdrq_error *err) {
    (void)task, (void)result, (void)p, (void)err;
    return GDRQ_OK;
}

/* With no keys but those of the script. */
static void run_script(const char *source, demo_findings findings, float thresh) {
    demo_task task = {
        .w = 32, .h = 32, .infer = infer, .forget = forget, .draw = draw, .free = forget};
    demo_options o = demo_defaults();
    o.source = source;
    o.findings = findings;
    o.thresh = thresh;
    script.lowest = 1;
    assert_int_equal(demo_run(&o, &task), 0);
}

static void check_saved(const char *source) {
    char name[32];
    memset(&script, 0, sizeof script);
    script.keys[0] = WINDOW_PAUSE; /* then frames come for a while that nobody sees */
    script.n = 12;
    script.keys[10] = WINDOW_SAVE;
    run_script(source, DEMO_OBJECTS, .5f);
    snprintf(name, sizeof name, "demo_%08lu.jpg", script.when_saved);
    assert_true(script.when_saved >= 3);
    assert_int_equal(script.when_saved, script.shown);
    assert_int_equal(access(name, F_OK), 0);
}

static void a_paused_picture_is_the_one_that_is_saved(void **state) {
    (void)state;
    check_saved("fake:size=64x48,fps=300");
    check_saved("fake:size=64x48,fps=300,live=0");
}

/* Where there are scores. */
static void keys_lead_to_a_hundredth_and_not_below(void **state) {
    (void)state;
    const struct {
        demo_findings findings;
        float from, lowest;
    } runs[] = {{DEMO_OBJECTS, .3f, .01f}, {DEMO_OBJECTS, .001f, .001f}, {DEMO_SHARES, .3f, .3f}};
    for (int i = 0; i < 3; i++) {
        memset(&script, 0, sizeof script);
        script.n = 30;
        for (int k = 0; k < 20; k++)
            script.keys[k] = WINDOW_THRESH_DOWN;
        run_script("fake:size=64x48,fps=300,live=0", runs[i].findings, runs[i].from);
        assert_true(script.lowest == runs[i].lowest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_paused_picture_is_the_one_that_is_saved),
        cmocka_unit_test(keys_lead_to_a_hundredth_and_not_below),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
