/* What the verbs of `darknet segmenter` have in common: the .data file and the network. */
#ifndef DARKNET_SEGMENTER_H
#define DARKNET_SEGMENTER_H

#include "args.h"
#include "darknet.h"
#include "data/data_cfg.h"
#include "data/masked_images.h"
#include "data/names.h"
#include "gdrq.h"

typedef struct segmenter {
    data_cfg data;
    class_names names; /* empty if the .data file names no file of names */
    palette colours;
    mask_rules rules;
    network *net;
    int classes;
} segmenter;

/*
 * Reads both files and checks that the network segments and that they agree on the number of
 * classes. On failure *s is empty.
 */
gdrq_status segmenter_open(const char *data_path, const char *cfg_path, segmenter *s,
                           gdrq_error *err);

/*
 * segmenter_open() for inference: the weights must cover the whole network with its activation
 * thresholds.
 */
gdrq_status segmenter_open_trained(const char *data_path, const char *cfg_path,
                                   const char *weights_path, segmenter *s, gdrq_error *err);

/* The name of a class, or its number, in `room`. */
enum { SEGMENTER_NUMBER_SIZE = 16 };
const char *segmenter_name(const segmenter *s, int class_id, char room[SEGMENTER_NUMBER_SIZE]);

/* -opacity, of colours over a picture; *opacity receives its default. */
arg_flag segmenter_opacity_flag(float *opacity);

/* The checked images of a list, whose path is the value of `key`; classes that they don't have are
   told. */
gdrq_status segmenter_images(const segmenter *s, const char *key, image_list *images,
                             gdrq_error *err);

void segmenter_close(segmenter *s);

/* The same as segmenter_open() for a network that was read from cfg_path and stays the caller's.
   Ends with segmenter_leave(). */
gdrq_status segmenter_of(const char *data_path, const char *cfg_path, network *net, segmenter *s,
                         gdrq_error *err);
void segmenter_leave(segmenter *s);

#endif
