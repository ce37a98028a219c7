/*
 * The newest frame, as it goes over the wire: written once, read by any number of clients. A frame
 * lives until nobody holds it, and its memory is used again, so that steady publishing allocates
 * nothing.
 */
#ifndef DEMO_FRAME_BOARD_H
#define DEMO_FRAME_BOARD_H

#include "demo/http_text.h"

#include <locale.h>

typedef enum frame_view { FRAME_PICTURE, FRAME_EVENT, FRAME_LINE, FRAME_VIEWS } frame_view;

typedef struct frame_bytes {
    const char *at;
    size_t n; /* 0: the frame has no such view */
} frame_bytes;

/* Stands before the first picture; one that follows ends every picture. */
#define FRAME_BOUNDARY "frame"
#define FRAME_DELIMITER "--" FRAME_BOUNDARY "\r\n"

typedef struct shared_frame {
    frame_bytes views[FRAME_VIEWS];
    unsigned long sequence; /* counts what was pinned, from 1 */
    int holders;
    char *memory;
    size_t capacity;
    struct shared_frame *next; /* of those that nobody holds */
} shared_frame;

typedef struct frame_board frame_board;

/* plain, which is borrowed, has decimal points. */
gdrq_status frame_board_new(locale_t plain, frame_board **board, gdrq_error *err);
/* All frames must have been given back. */
void frame_board_free(frame_board *board);

/*
 * Puts a frame up. The picture before stays if this one has none and keep_picture is set; the line
 * before stays if this one has none. Without memory the frames before stay. From one thread at a
 * time.
 */
void frame_board_pin(frame_board *board, const http_frame *frame, const http_state *state,
                     bool keep_picture);

/* The sequence number of the newest frame with that view; 0 if there is none. */
unsigned long frame_board_newest(frame_board *board, frame_view view);
/* That frame, to be given back; or NULL. */
shared_frame *frame_board_take(frame_board *board, frame_view view);
void frame_board_give_back(frame_board *board, shared_frame *frame);

/* Of the newest frame; the state is "playing" or NULL. */
demo_statistics frame_board_statistics(frame_board *board);

#endif
