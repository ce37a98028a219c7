#include "demo/page.h"

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

char *page_with_title(const char *title) {
    static const char place[] = "@TITLE@";
    char *page = NULL;
    size_t n;
    FILE *out = open_memstream(&page, &n);
    if (!out)
        return NULL;
    const char *rest = page_html;
    for (const char *found; (found = strstr(rest, place)); rest = found + sizeof place - 1) {
        fwrite(rest, 1, (size_t)(found - rest), out);
        put_escaped(out, title);
    }
    fputs(rest, out);
    const bool failed = ferror(out);
    if (fclose(out) == 0 && !failed)
        return page;
    free(page);
    return NULL;
}
