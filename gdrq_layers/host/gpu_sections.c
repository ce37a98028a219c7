#include "host/gpu_sections.h"

#include <string.h>

#include "host/section_value.h"

/* NULL, or why it can't run. Folded networks run our kernels, [crop] included. */
static const char *fault(const gdrq_outline *o, const gdrq_outline_layer *layer) {
    /* Without a truth it reads from address 0; with one, classes are indices that nothing checks.
     */
    if (layer->type == ISEG)
        return "Darknet crashes on it on a GPU, or writes out of bounds: run it with -nogpu";
    if (layer->type == CROP && layer->c != 3 && !gdrq_outline_is_folded(o))
        return "on a GPU Darknet takes all images for such of 3 channels, and writes out of "
               "bounds: run it with -nogpu";
    return NULL;
}

gdrq_status gdrq_gpu_sections_check(const gdrq_outline *outline, gdrq_error *err) {
    for (int i = 0; i < outline->n; i++) {
        const char *why = fault(outline, &outline->layers[i]);
        const gdrq_place place = {&outline->cfg, outline->layers[i].section, i};
        if (why)
            return gdrq_fail_section(&place, err, "%s", why);
    }
    return GDRQ_OK;
}

static bool has_type(const gdrq_outline_layer *layer, const char *type) {
    const gdrq_cfg_option *option = gdrq_cfg_find(layer->section, "type");
    return option && strcmp(option->value, type) == 0;
}

const char *gdrq_gpu_training_fault(const gdrq_outline *outline, const gdrq_outline_layer *layer) {
    /* Its forward masks the gradient of its input, which only a backward has. */
    if (layer->type == COST && has_type(layer, "masked"))
        return "type=masked crashes on a GPU; -nogpu trains it";
    if (layer->type == CRNN && gdrq_value_int(&outline->cfg.sections[0], "adam", 0))
        return "with adam=1 it crashes on a GPU, as Darknet makes no moments for it; -nogpu trains "
               "it, and so does a GPU without adam=1";
    return NULL;
}

/* What the CPU's functions don't look at. */
static gdrq_status note_cost(const gdrq_outline *o, const gdrq_outline_layer *layer,
                             gdrq_notes *notes, gdrq_error *err) {
    static const char *const keys[] = {"smooth", "ratio", "thresh"};
    gdrq_status status = GDRQ_OK;
    for (size_t k = 0; k < sizeof keys / sizeof *keys && status == GDRQ_OK; k++) {
        const gdrq_cfg_option *option = gdrq_cfg_find(layer->section, keys[k]);
        if (option && gdrq_value_float(layer->section, keys[k], 0) != 0)
            status = gdrq_notes_add(notes, &o->cfg, option->line, err,
                                    "[cost] %s has an effect on a GPU only", keys[k]);
    }
    if (status == GDRQ_OK && (has_type(layer, "seg") || has_type(layer, "wgan"))) {
        const gdrq_cfg_option *type = gdrq_cfg_find(layer->section, "type");
        status = gdrq_notes_add(notes, &o->cfg, type->line, err,
                                "[cost] type=%s is type=sse without a GPU", type->value);
    }
    return status;
}

gdrq_status gdrq_gpu_note_differences(const gdrq_outline *outline, gdrq_notes *notes,
                                      gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < outline->n && status == GDRQ_OK; i++)
        if (outline->layers[i].type == COST)
            status = note_cost(outline, &outline->layers[i], notes, err);
    return status;
}
