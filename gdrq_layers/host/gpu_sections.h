/*
 * What of a cfg the host's functions for the GPU do otherwise than those for the CPU: what they
 * crash on, and where they compute something else. Pure, as the outline is.
 */
#ifndef GDRQ_HOST_GPU_SECTIONS_H
#define GDRQ_HOST_GPU_SECTIONS_H

#include "host/outline.h"
#include "host/section_check.h"

/* Fails for a network that can't even infer on a GPU. */
gdrq_status gdrq_gpu_sections_check(const gdrq_outline *outline, gdrq_error *err);

/* NULL, or what of a layer ends the program when it is trained on a GPU. */
const char *gdrq_gpu_training_fault(const gdrq_outline *outline, const gdrq_outline_layer *layer);

/* Notes what has an effect in a training on a GPU only. */
gdrq_status gdrq_gpu_note_differences(const gdrq_outline *outline, gdrq_notes *notes,
                                      gdrq_error *err);

#endif
