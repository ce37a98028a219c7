/* The page's files as they are. -I of the source tree's root finds them. */
#define INCLUDE_FILE(name, path) \
    .global name; .hidden name; name: .incbin path; \
    .global name##_end; .hidden name##_end; name##_end: .byte 0

    .section .rodata
    INCLUDE_FILE(page_html, "darknet/demo/page.html")
    INCLUDE_FILE(page_css, "darknet/demo/page.css")
    INCLUDE_FILE(page_js, "darknet/demo/page.js")
    .section .note.GNU-stack, "", %progbits
