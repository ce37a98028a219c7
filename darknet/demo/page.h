/* The page's files, compiled in by page.S. */
#ifndef DEMO_PAGE_H
#define DEMO_PAGE_H

#include "demo/findings.h"

extern const char page_html[], page_html_end[];
extern const char page_css[], page_css_end[];
extern const char page_js[], page_js_end[];

/* page.html with the title in its places and what there is to see of such findings, to be freed;
   NULL when memory is out. */
char *page_make(const char *title, demo_findings findings);

#endif
