#include "segmenter.h"

#include "absent_classes.h"
#include "base/status.h"
#include "colour_input.h"
#include "data_file.h"
#include "data/palette.h"
#include "report.h"

#include <stdio.h>

static gdrq_status read_classes(segmenter *s, const char *cfg_path, gdrq_error *err) {
    int classes = s->classes;
    const gdrq_status status = data_cfg_find_int(&s->data, "classes", 1, 1 << 20, &classes, err);
    if (status != GDRQ_OK || classes == s->classes)
        return status;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s has classes=%d, but [segmentation] of %s has %d",
                     s->data.path, classes, cfg_path, s->classes);
}

static gdrq_status read_rules(segmenter *s, gdrq_error *err) {
    s->rules = (mask_rules){.classes = s->classes, .void_index = MASK_VOID, .background = -1};
    gdrq_status status = data_cfg_find_int(&s->data, "void", 0, 255, &s->rules.void_index, err);
    if (status == GDRQ_OK)
        status =
            data_cfg_find_int(&s->data, "background", 0, s->classes - 1, &s->rules.background, err);
    if (status == GDRQ_OK && s->rules.background == s->rules.void_index)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "background = %d is void =, too: those pixels are a class or none",
                         s->rules.background);
    return status;
}

static gdrq_status read_looks(segmenter *s, gdrq_error *err) {
    const char *names = data_cfg_find(&s->data, "names");
    const char *colours = data_cfg_find(&s->data, "palette");
    gdrq_status status = names ? class_names_read(names, s->classes, &s->names, err) : GDRQ_OK;
    if (status == GDRQ_OK && colours)
        status = palette_read(colours, s->classes, &s->colours, err);
    else
        s->colours = palette_of_classes(s->classes);
    return status;
}

static gdrq_status check(segmenter *s, const char *cfg_path, gdrq_error *err) {
    s->classes = gdrq_network_pixel_classes(s->net);
    if (!s->classes)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: not a segmenter: its last section must be [segmentation]", cfg_path);
    gdrq_status status = colour_input_check(s->net, cfg_path, err);
    if (status == GDRQ_OK)
        status = read_classes(s, cfg_path, err);
    if (status == GDRQ_OK)
        status = read_rules(s, err);
    return status == GDRQ_OK ? read_looks(s, err) : status;
}

gdrq_status segmenter_of(const char *data_path, const char *cfg_path, network *net, segmenter *s,
                         gdrq_error *err) {
    *s = (segmenter){.net = net};
    gdrq_status status = data_file_read(data_path, &s->data, err);
    if (status == GDRQ_OK)
        status = check(s, cfg_path, err);
    if (status != GDRQ_OK)
        segmenter_leave(s);
    return status;
}

gdrq_status segmenter_open(const char *data_path, const char *cfg_path, segmenter *s,
                           gdrq_error *err) {
    network *net;
    *s = (segmenter){0};
    gdrq_status status = gdrq_network_parse(cfg_path, report_note, NULL, &net, err);
    if (status != GDRQ_OK)
        return status;
    status = segmenter_of(data_path, cfg_path, net, s, err);
    if (status != GDRQ_OK)
        free_network(net);
    return status;
}

gdrq_status segmenter_open_trained(const char *data_path, const char *cfg_path,
                                   const char *weights_path, segmenter *s, gdrq_error *err) {
    gdrq_status status = segmenter_open(data_path, cfg_path, s, err);
    if (status != GDRQ_OK)
        return status;
    status = gdrq_network_load(s->net, weights_path, false, NULL, err);
    if (status == GDRQ_OK)
        status = gdrq_network_ready(s->net, err);
    if (status != GDRQ_OK)
        segmenter_close(s);
    return status;
}

const char *segmenter_name(const segmenter *s, int class_id, char room[SEGMENTER_NUMBER_SIZE]) {
    if (s->names.n)
        return s->names.names[class_id];
    snprintf(room, SEGMENTER_NUMBER_SIZE, "%d", class_id);
    return room;
}

arg_flag segmenter_opacity_flag(float *opacity) {
    *opacity = .5f;
    return (arg_flag){.name = "opacity",
                      .value_name = "P",
                      .real = opacity,
                      .max = 1,
                      .help = "of the colours over the picture"};
}

gdrq_status segmenter_images(const segmenter *s, const char *key, image_list *images,
                             gdrq_error *err) {
    const char *path;
    mask_census census;
    *images = (image_list){0};
    gdrq_status status = data_cfg_require(&s->data, key, &path, err);
    if (status == GDRQ_OK)
        status = masked_images_read(path, &s->rules, images, &census, err);
    if (status == GDRQ_OK)
        absent_classes_note(s, path, &census);
    return status;
}

void segmenter_leave(segmenter *s) {
    data_cfg_free(&s->data);
    class_names_free(&s->names);
    *s = (segmenter){0};
}

void segmenter_close(segmenter *s) {
    if (s->net)
        free_network(s->net);
    segmenter_leave(s);
}
