/*
 * Command-line flags, declared as tables. Flags may stand anywhere among the operands; -x, --x, the
 * case of letters and - or _ inside a name make no difference (-dont_show, --dontshow, -DontShow).
 * -5 and -.5 are values, not flags; everything behind -- is an operand.
 */
#ifndef DARKNET_ARGS_H
#define DARKNET_ARGS_H

#include "gdrq.h"

/* Exactly one of the five targets is set; what it points to before parsing is the default. */
typedef struct arg_flag {
    const char *name;       /* as help shows it, without dashes: "iou_thresh" */
    const char *value_name; /* what help calls the value; NULL for a switch */
    bool *on;
    int *integer;
    float *real;
    const char **text;
    gdrq_status (*set)(const char *value, gdrq_error *err);
    double min, max;            /* of a number, inclusive */
    const char *const *choices; /* what a text may be, ended by NULL; NULL: anything */
    const char *help;
} arg_flag;

/* A flag of similar commands, or upstream's, that means nothing to this one. */
typedef struct arg_refusal {
    const char *name, *why; /* without dashes; what follows "-NAME makes no sense here: " */
} arg_refusal;

typedef struct arg_spec {
    const char *command;  /* "detector test" */
    const char *operands; /* "DATA CFG WEIGHTS [IMAGE]": what may be left out stands in brackets */
    const char *help;     /* what the command does, one or more lines */
    const arg_flag *flags;
    int n_flags;
    const arg_refusal *refused;
    int n_refused;
} arg_spec;

enum { ARGS_MAX_OPERANDS = 8 };

typedef struct arg_operands {
    const char *at[ARGS_MAX_OPERANDS]; /* NULL behind the last one given */
    int n;
} arg_operands;

/*
 * Reads argv[0..argc), which begins behind the command's name, into the flags' targets and
 * *operands. Errors name the flag or operand, and for an unknown flag the nearest known one. The
 * flags that every command accepts (-i, -cpumask) are known without being declared.
 */
gdrq_status args_read(const arg_spec *spec, int argc, char **argv, arg_operands *operands,
                      gdrq_error *err);

/*
 * args_read() as commands use it: -h, -help or --help prints help (-h before a number does not
 * where the command has a flag -h), and errors are printed. Returns -1 when the command shall go
 * on, else the exit status: 0 after help, 2 after an error.
 */
int args_parse(const arg_spec *spec, int argc, char **argv, arg_operands *operands);

/* Whether -dont_show was among them. */
bool args_dont_show(void);

/*
 * How many of argv[0..argc) are flags that every command accepts, with their values: they may stand
 * before the command's name.
 */
gdrq_status args_skip_global(int argc, char **argv, int *n, gdrq_error *err);

#endif
