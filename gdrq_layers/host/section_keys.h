/*
 * The sections that a cfg may have and the keys of each: those of the host, ours, and those of
 * other Darknets that mean nothing to this one. Facts only; host/section_check.h applies them.
 */
#ifndef GDRQ_HOST_SECTION_KEYS_H
#define GDRQ_HOST_SECTION_KEYS_H

#include "darknet.h"

#include <stdbool.h>

typedef enum gdrq_key_kind {
    GDRQ_KEY_INT,
    GDRQ_KEY_FLOAT,
    GDRQ_KEY_INTS, /* comma-separated */
    GDRQ_KEY_FLOATS,
    GDRQ_KEY_CHOICE,
    GDRQ_KEY_PATH,
    GDRQ_KEY_IGNORED, /* accepted with a note: this Darknet does not look at it */
    GDRQ_KEY_FIXED,   /* would change the network: only the value `fixed` is possible */
    GDRQ_KEY_SAME,    /* only the value of the key `fixed` is possible */
} gdrq_key_kind;

typedef struct gdrq_key {
    const char *name;
    gdrq_key_kind kind;
    double min, max;            /* of each number, inclusive */
    const char *allowed;        /* the range in words, where min and max read badly */
    const char *const *choices; /* ends with NULL */
    const char *fixed;
    const char *reason; /* why only `fixed` is possible, or what being ignored means */
    bool first_counts;  /* may be repeated with other values, as files do that list them for testing
                           and again for training */
} gdrq_key;

typedef struct gdrq_keys {
    const gdrq_key *keys; /* ends with a NULL name */
    bool ours;            /* of quantised layers: the host's parser must not see them */
} gdrq_keys;

typedef struct gdrq_section_kind {
    const char *name, *alias; /* alias may be NULL */
    const char *stock;        /* the section that the host's parser gets instead */
    LAYER_TYPE type;
    bool quantised;     /* has low-bit weights and reads codes */
    bool folded;        /* has nothing else: written by gdrq_fold() */
    bool segmentation;  /* [segmentation], which the host does not know and gets as [softmax] */
    gdrq_keys lists[5]; /* unused ones have NULL keys */
} gdrq_section_kind;

/* No section has as many different keys. */
#define GDRQ_MAX_KEYS 128

/* All sections; ends with a NULL name. The first is [net]. */
extern const gdrq_section_kind gdrq_section_kinds[];

/* NULL when there is no section of that name. */
const gdrq_section_kind *gdrq_section_kind_find(const char *name);

/* The name of the section that a layer's type is of, the stock one's of a quantised layer; "" if
   there is none. */
const char *gdrq_section_name(const layer *l);

/* NULL when the section has no such key; *ours (may be NULL) says whether it is one of ours. */
const gdrq_key *gdrq_key_find(const gdrq_section_kind *kind, const char *name, bool *ours);

/* In the order of the host's ACTIVATION; ends with NULL. */
extern const char *const gdrq_activation_names[];

/* Indices into the choices of [net] policy. */
typedef enum gdrq_policy {
    GDRQ_POLICY_CONSTANT,
    GDRQ_POLICY_STEP,
    GDRQ_POLICY_STEPS,
    GDRQ_POLICY_EXP,
    GDRQ_POLICY_POLY,
    GDRQ_POLICY_SIGMOID,
    GDRQ_POLICY_RANDOM,
} gdrq_policy;

#endif
