#include "absent_classes.h"

#include "report.h"

#include <stdio.h>
#include <string.h>

/* More are only counted. */
enum { MOST_SHOWN = 5 };

typedef struct enumeration {
    char text[512];
    int n;
} enumeration;

static void add(enumeration *e, const char *word) {
    const size_t used = strlen(e->text);
    if (e->n++ < MOST_SHOWN)
        snprintf(e->text + used, sizeof e->text - used, "%s%s", used ? ", " : "", word);
}

static void end(enumeration *e) {
    const size_t used = strlen(e->text);
    if (e->n > MOST_SHOWN)
        snprintf(e->text + used, sizeof e->text - used, " and %d more", e->n - MOST_SHOWN);
}

static enumeration list_absent(const segmenter *s, const mask_census *census) {
    enumeration absent = {0};
    for (int k = 0; k < s->classes; k++) {
        char word[64];
        if (census->pixels.of_class[k] || k == s->rules.void_index)
            continue;
        if (s->names.n)
            snprintf(word, sizeof word, "%d (%.40s)", k, s->names.names[k]);
        else
            snprintf(word, sizeof word, "%d", k);
        add(&absent, word);
    }
    end(&absent);
    return absent;
}

static enumeration list_values(const mask_census *census) {
    enumeration values = {0};
    for (int k = 0; k < MASK_VOID; k++) {
        char word[16];
        snprintf(word, sizeof word, "%d", k);
        if (census->pixels.of_class[k])
            add(&values, word);
    }
    end(&values);
    return values;
}

void absent_classes_note(const segmenter *s, const char *list_path, const mask_census *census) {
    const enumeration absent = list_absent(s, census), values = list_values(census);
    const char *const plural = absent.n > 1 ? "es" : "";
    if (!absent.n)
        return;
    if (census->numbered_void && !data_cfg_find(&s->data, "void"))
        report(
            "%s: no pixel has the class%s %s. The masks hold %s%s255, which is void where %s sets "
            "no void=: if it is a class, its pixels must have its number instead",
            list_path, plural, absent.text, values.text, values.n ? " and " : "", s->data.path);
    else
        report("%s: no pixel has the class%s %s", list_path, plural, absent.text);
}
