#include "data/palette.h"

#include "base/status.h"
#include "data/text_lines.h"
#include "image/picture.h"

#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20, COLOURS = 256 };

static gdrq_status parse_colour(const char *path, int number, const char *line,
                                unsigned char rgb[3], gdrq_error *err) {
    char words[3][12], rest[2];
    bool good = sscanf(line, "%11s %11s %11s %1s", words[0], words[1], words[2], rest) == 3;
    for (int i = 0; i < 3 && good; i++) {
        int value;
        good = text_to_int(words[i], 0, 255, &value);
        rgb[i] = good ? (unsigned char)value : 0;
    }
    return good ? GDRQ_OK
                : gdrq_fail(err, GDRQ_ERROR_FORMAT,
                            "%s:%d: '%.60s' is no colour; expected 'RED GREEN BLUE', three numbers "
                            "in 0..255",
                            path, number, line);
}

static gdrq_status parse(const char *path, const text_lines *text, int classes, palette *colours,
                         gdrq_error *err) {
    int lines = text->n, n = 0;
    while (lines > 0 && !*text->lines[lines - 1])
        lines--;
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < lines && n < classes && status == GDRQ_OK; i++)
        if (*text->lines[i] != '#')
            status = parse_colour(path, i + 1, text->lines[i], colours->rgb[n++], err);
    if (status == GDRQ_OK && n < classes)
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT,
                           "%s: %d colours for %d classes: give every class one, one per line",
                           path, n, classes);
    return status;
}

gdrq_status palette_read(const char *path, int classes, palette *colours, gdrq_error *err) {
    text_lines text;
    *colours = (palette){.n = COLOURS};
    gdrq_status status = text_lines_read(path, MOST_BYTES, &text, err);
    if (status != GDRQ_OK)
        return status;
    status = parse(path, &text, classes, colours, err);
    text_lines_free(&text);
    return status;
}

palette palette_of_classes(int classes) {
    palette colours = {.n = COLOURS};
    for (int i = 0; i < classes; i++) {
        unsigned char bgr[3];
        picture_class_colour(i, bgr);
        for (int c = 0; c < 3; c++)
            colours.rgb[i][c] = bgr[2 - c];
    }
    return colours;
}
