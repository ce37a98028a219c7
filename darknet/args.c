#include "args.h"

#include "base/edit_distance.h"
#include "base/status.h"
#include "gpus.h"
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LENGTH = GDRQ_LONGEST_NAME };

/* Accepted everywhere, since scripts pass them; -nogpu was looked at before (cpu_build.h), -gpus is
   for training, -dont_show is for demo. */
static bool global_no_gpu, global_dont_show;
static const arg_flag global_flags[] = {
    {.name = "i",
     .value_name = "N",
     .set = gpus_set_one,
     .help = "the GPU to use; no effect in a CPU build"},
    {.name = "gpus",
     .value_name = "LIST",
     .set = gpus_set_list,
     .help = "as in 0,1: GPUs to train on, others use the first; no effect in a CPU build"},
    {.name = "cpumask",
     .value_name = "SET",
     .set = gdrq_set_cpu,
     .help = "instruction set of integer kernels: c, avx2 or avx512vnni; by default all"},
    {.name = "nogpu", .on = &global_no_gpu, .help = "use the CPU: a GPU build runs the CPU build"},
    {.name = "dont_show", .on = &global_dont_show, .help = "open no window; only demo opens one"},
};
static const int n_global_flags = sizeof global_flags / sizeof *global_flags;

/* The part of a name that counts: no dashes or underscores, lower case, up to any '='. */
static void normalise(const char *name, char out[NAME_LENGTH]) {
    int n = 0;
    for (; *name && *name != '=' && n < NAME_LENGTH - 1; name++)
        if (*name != '-' && *name != '_')
            out[n++] = (char)tolower((unsigned char)*name);
    out[n] = '\0';
}

static bool is_number(const char *text) {
    char *end;
    strtod(text, &end);
    return end != text && !*end;
}

static bool is_flag(const char *text) {
    return text[0] == '-' && text[1] && !is_number(text);
}

static const arg_flag *flag_at(const arg_spec *spec, int i) {
    return i < spec->n_flags ? &spec->flags[i] : &global_flags[i - spec->n_flags];
}

static bool same_name(const char *text, const char *name) {
    char a[NAME_LENGTH], b[NAME_LENGTH];
    normalise(text, a);
    normalise(name, b);
    return !strcmp(a, b);
}

static const arg_flag *find_flag(const arg_spec *spec, const char *text) {
    for (int i = 0; i < spec->n_flags + n_global_flags; i++)
        if (same_name(text, flag_at(spec, i)->name))
            return flag_at(spec, i);
    return NULL;
}

static bool asks_for_help(const char *text) {
    char name[NAME_LENGTH];
    normalise(text, name);
    return !strcmp(name, "h") || !strcmp(name, "help");
}

/* demo has a flag -h, the camera's height: it takes a number, where help takes none. */
static bool is_help(const arg_spec *spec, int argc, char **argv, int i) {
    if (!is_flag(argv[i]) || !asks_for_help(argv[i]))
        return false;
    const bool has_value = strchr(argv[i], '=') || (i + 1 < argc && is_number(argv[i + 1]));
    return !find_flag(spec, argv[i]) || !has_value;
}

static const char *nearest_flag(const arg_spec *spec, const char *text) {
    char wanted[NAME_LENGTH], known[NAME_LENGTH];
    normalise(text, wanted);
    const char *nearest = NULL;
    /* What is further off than half of its letters is not what was meant. */
    int least = (int)strlen(wanted) / 2 + 1;
    for (int i = 0; i < spec->n_flags + n_global_flags; i++) {
        normalise(flag_at(spec, i)->name, known);
        /* A piece of a name stands for it: -ext for -ext_output. */
        const bool piece = strlen(wanted) > 1 && strstr(known, wanted);
        const int d = piece ? 1 : gdrq_edit_distance(wanted, known);
        if (d < least) {
            least = d;
            nearest = flag_at(spec, i)->name;
        }
    }
    return nearest;
}

static gdrq_status set_integer(const arg_flag *flag, const char *text, gdrq_error *err) {
    char *end;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < flag->min || value > flag->max)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "-%s: '%s' is not a whole number from %.0f to %.0f", flag->name, text,
                         flag->min, flag->max);
    *flag->integer = (int)value;
    return GDRQ_OK;
}

static gdrq_status set_real(const arg_flag *flag, const char *text, gdrq_error *err) {
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < flag->min || value > flag->max)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-%s: '%s' is not a number from %g to %g",
                         flag->name, text, flag->min, flag->max);
    *flag->real = (float)value;
    return GDRQ_OK;
}

/* "auto, shift, keep" */
static void list_choices(const char *const *choices, char *list, size_t size) {
    size_t n = 0;
    for (int i = 0; choices[i] && n < size; i++)
        n += (size_t)snprintf(list + n, size - n, "%s%s", i ? ", " : "", choices[i]);
}

static gdrq_status set_text(const arg_flag *flag, const char *text, gdrq_error *err) {
    char list[NAME_LENGTH];
    int i = 0;
    while (flag->choices && flag->choices[i] && strcmp(flag->choices[i], text) != 0)
        i++;
    if (flag->choices && !flag->choices[i]) {
        list_choices(flag->choices, list, sizeof list);
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-%s: %s is none of %s", flag->name, text, list);
    }
    *flag->text = text;
    return GDRQ_OK;
}

static gdrq_status call_setter(const arg_flag *flag, const char *text, gdrq_error *err) {
    gdrq_error reason;
    const gdrq_status status = flag->set(text, &reason);
    return status == GDRQ_OK ? status
                             : gdrq_fail(err, status, "-%s: %s", flag->name, reason.message);
}

/* `text` is -name or -name=value, `next` the argument behind it or NULL. */
static gdrq_status set_flag(const arg_flag *flag, const char *text, const char *next,
                            bool *took_next, gdrq_error *err) {
    const char *equals = strchr(text, '=');
    *took_next = false;
    if (flag->on) {
        if (equals)
            return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-%s takes no value", flag->name);
        *flag->on = true;
        return GDRQ_OK;
    }
    const char *value = equals ? equals + 1 : next;
    if (!value || !*value || (!equals && is_flag(value)))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-%s needs a value (%s)", flag->name,
                         flag->value_name);
    *took_next = !equals;
    if (flag->integer)
        return set_integer(flag, value, err);
    if (flag->real)
        return set_real(flag, value, err);
    if (flag->set)
        return call_setter(flag, value, err);
    return set_text(flag, value, err);
}

/* The word of "DATA CFG [WEIGHTS]" at *text, which moves behind it; false at the end. */
static bool next_word(const char **text, char out[NAME_LENGTH]) {
    *text += strspn(*text, " ");
    const size_t n = strcspn(*text, " ");
    snprintf(out, NAME_LENGTH, "%.*s", (int)n, *text);
    *text += n;
    return n > 0;
}

static gdrq_status check_operands(const arg_spec *spec, const arg_operands *operands,
                                  gdrq_error *err) {
    char word[NAME_LENGTH];
    const char *text = spec->operands;
    int n = 0;
    for (; next_word(&text, word); n++)
        if (n >= operands->n && word[0] != '[')
            return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s is missing; usage: darknet %s %s", word,
                             spec->command, spec->operands);
    if (operands->n > n)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "'%s' is one too many; usage: darknet %s %s",
                         operands->at[n], spec->command, spec->operands);
    return GDRQ_OK;
}

static const arg_refusal *find_refusal(const arg_spec *spec, const char *text) {
    for (int i = 0; i < spec->n_refused; i++)
        if (same_name(text, spec->refused[i].name))
            return &spec->refused[i];
    return NULL;
}

static gdrq_status fail_unknown(const arg_spec *spec, const char *text, gdrq_error *err) {
    const arg_refusal *refusal = find_refusal(spec, text);
    if (refusal)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-%s makes no sense here: %s", refusal->name,
                         refusal->why);
    const char *nearest = nearest_flag(spec, text);
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "unknown flag %s%s%s (-h lists all)", text,
                     nearest ? "; the nearest is -" : "", nearest ? nearest : "");
}

gdrq_status args_read(const arg_spec *spec, int argc, char **argv, arg_operands *operands,
                      gdrq_error *err) {
    bool flags_ended = false;
    *operands = (arg_operands){0};
    for (int i = 0; i < argc; i++) {
        if (!flags_ended && !strcmp(argv[i], "--")) {
            flags_ended = true;
        } else if (flags_ended || !is_flag(argv[i])) {
            if (operands->n == ARGS_MAX_OPERANDS)
                return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "'%s' is one too many", argv[i]);
            operands->at[operands->n++] = argv[i];
        } else {
            const arg_flag *flag = find_flag(spec, argv[i]);
            if (!flag)
                return fail_unknown(spec, argv[i], err);
            bool took_next;
            const char *next = i + 1 < argc ? argv[i + 1] : NULL;
            const gdrq_status status = set_flag(flag, argv[i], next, &took_next, err);
            if (status != GDRQ_OK)
                return status;
            i += took_next;
        }
    }
    return check_operands(spec, operands, err);
}

static void print_flag(const arg_flag *flag) {
    char left[NAME_LENGTH], standard[NAME_LENGTH] = "";
    snprintf(left, sizeof left, "-%s%s%s", flag->name, flag->value_name ? " " : "",
             flag->value_name ? flag->value_name : "");
    if (flag->integer)
        snprintf(standard, sizeof standard, " (%d)", *flag->integer);
    else if (flag->real)
        snprintf(standard, sizeof standard, " (%g)", *flag->real);
    else if (flag->text && *flag->text)
        snprintf(standard, sizeof standard, " (%s)", *flag->text);
    printf("  %-28s %s%s\n", left, flag->help, standard);
}

int args_parse(const arg_spec *spec, int argc, char **argv, arg_operands *operands) {
    /* Help shows the defaults, which reading overwrites. */
    for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
        if (is_help(spec, argc, argv, i)) {
            printf("usage: darknet %s %s [FLAGS]\n%s\n\nFlags (default):\n", spec->command,
                   spec->operands, spec->help);
            for (int f = 0; f < spec->n_flags + n_global_flags; f++)
                print_flag(flag_at(spec, f));
            return 0;
        }
    gdrq_error err;
    if (args_read(spec, argc, argv, operands, &err) == GDRQ_OK)
        return -1;
    return report_usage(spec->command, &err);
}

bool args_dont_show(void) {
    return global_dont_show;
}

gdrq_status args_skip_global(int argc, char **argv, int *n, gdrq_error *err) {
    const arg_spec none = {0};
    *n = 0;
    while (*n < argc && is_flag(argv[*n])) {
        const arg_flag *flag = find_flag(&none, argv[*n]);
        if (!flag)
            return GDRQ_OK;
        bool took_next;
        const char *next = *n + 1 < argc ? argv[*n + 1] : NULL;
        const gdrq_status status = set_flag(flag, argv[*n], next, &took_next, err);
        if (status != GDRQ_OK)
            return status;
        *n += 1 + took_next;
    }
    return GDRQ_OK;
}
