#include "demo/page.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_escaped(FILE *out, const char *text) {
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            putc(*text, out);
        }
}

/* Whether *at begins with the mark, which it then moves behind. */
static bool pass(const char **at, const char *mark) {
    const size_t n = strlen(mark);
    if (strncmp(*at, mark, n) != 0)
        return false;
    *at += n;
    return true;
}

/* @TITLE@ is the title's place; what lies between @OBJECTS@ or @SHARES@ and @END@ is for such
   findings alone. */
static void put_page(FILE *out, const char *title, demo_findings findings) {
    bool wanted = true;
    for (const char *at = page_html; *at;) {
        if (pass(&at, "@OBJECTS@"))
            wanted = findings == DEMO_OBJECTS;
        else if (pass(&at, "@SHARES@"))
            wanted = findings == DEMO_SHARES;
        else if (pass(&at, "@END@"))
            wanted = true;
        else if (pass(&at, "@TITLE@"))
            put_escaped(out, wanted ? title : "");
        else if (wanted)
            putc(*at++, out);
        else
            at++;
    }
}

char *page_make(const char *title, demo_findings findings) {
    char *page = NULL;
    size_t n;
    FILE *out = open_memstream(&page, &n);
    if (!out)
        return NULL;
    put_page(out, title, findings);
    const bool failed = ferror(out);
    if (fclose(out) == 0 && !failed)
        return page;
    free(page);
    return NULL;
}
