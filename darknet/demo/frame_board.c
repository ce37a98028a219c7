#include "demo/frame_board.h"

#include "base/alloc.h"
#include "base/status.h"
#include "results/memory_file.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct frame_board {
    pthread_mutex_t lock;              /* of what follows; held for a few instructions only */
    shared_frame *newest[FRAME_VIEWS]; /* that have the view */
    shared_frame *unused;
    unsigned long sequence;
    demo_statistics statistics;
    /* Of the thread that pins. */
    memory_file text;
    locale_t plain;
};

gdrq_status frame_board_new(locale_t plain, frame_board **board, gdrq_error *err) {
    frame_board *b = *board = gdrq_alloc(1, sizeof *b);
    if (!b)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the web server's frames");
    pthread_mutex_init(&b->lock, NULL);
    b->plain = plain;
    const gdrq_status status = memory_file_open(&b->text, err);
    if (status != GDRQ_OK) {
        frame_board_free(b);
        *board = NULL;
    }
    return status;
}

static void let_go(frame_board *board, shared_frame *frame) {
    if (!frame || --frame->holders > 0)
        return;
    frame->next = board->unused;
    board->unused = frame;
}

void frame_board_free(frame_board *board) {
    if (!board)
        return;
    for (int view = 0; view < FRAME_VIEWS; view++)
        let_go(board, board->newest[view]);
    while (board->unused) {
        shared_frame *frame = board->unused;
        board->unused = frame->next;
        free(frame->memory);
        free(frame);
    }
    memory_file_free(&board->text);
    pthread_mutex_destroy(&board->lock);
    free(board);
}

static shared_frame *take_unused(frame_board *board) {
    pthread_mutex_lock(&board->lock);
    shared_frame *frame = board->unused;
    if (frame)
        board->unused = frame->next;
    pthread_mutex_unlock(&board->lock);
    return frame ? frame : gdrq_alloc(1, sizeof *frame);
}

/* Pictures differ a little in size: the quarter more saves the next ones from growing. */
static bool reserve(shared_frame *frame, size_t n) {
    if (frame->capacity >= n)
        return true;
    free(frame->memory);
    frame->capacity = 0;
    frame->memory = gdrq_alloc(n + n / 4, 1);
    if (frame->memory)
        frame->capacity = n + n / 4;
    return frame->memory;
}

/* Where each view ends in the board's text. The picture's head comes first, the others follow. */
typedef struct text_parts {
    size_t picture_head, event, line;
} text_parts;

static bool write_text(frame_board *board, const http_frame *frame, const http_state *state,
                       text_parts *ends) {
    FILE *out = board->text.stream;
    const locale_t before = uselocale(board->plain);
    rewind(out);
    if (frame->jpeg)
        fprintf(out, "Content-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n", frame->jpeg_size);
    ends->picture_head = (size_t)ftell(out);
    http_put_event(out, frame, state);
    ends->event = (size_t)ftell(out);
    http_put_line(out, frame);
    ends->line = (size_t)ftell(out);
    const bool complete = fflush(out) == 0 && !ferror(out);
    uselocale(before);
    return complete;
}

static frame_bytes append(char **to, const void *bytes, size_t n) {
    const frame_bytes appended = {*to, n};
    memcpy(*to, bytes, n);
    *to += n;
    return appended;
}

static bool fill(frame_board *board, shared_frame *shared, const http_frame *frame,
                 const http_state *state) {
    static const char tail[] = "\r\n" FRAME_DELIMITER;
    text_parts ends;
    if (!write_text(board, frame, state, &ends))
        return false;
    const size_t jpeg_size = frame->jpeg ? frame->jpeg_size : 0;
    if (!reserve(shared, ends.line + jpeg_size + sizeof tail))
        return false;
    const char *text = board->text.text;
    char *to = shared->memory;
    memset(shared->views, 0, sizeof shared->views);
    if (frame->jpeg) {
        frame_bytes *picture = &shared->views[FRAME_PICTURE];
        *picture = append(&to, text, ends.picture_head);
        append(&to, frame->jpeg, jpeg_size);
        append(&to, tail, sizeof tail - 1);
        picture->n = (size_t)(to - picture->at);
    }
    shared->views[FRAME_EVENT] =
        append(&to, text + ends.picture_head, ends.event - ends.picture_head);
    shared->views[FRAME_LINE] = append(&to, text + ends.event, ends.line - ends.event);
    return true;
}

static void replace(frame_board *board, frame_view view, shared_frame *by) {
    shared_frame *before = board->newest[view];
    board->newest[view] = by;
    if (by)
        by->holders++;
    let_go(board, before);
}

/* A change of state has neither picture nor line: those before are still the newest. */
static void put_up(frame_board *board, shared_frame *frame, bool keep_picture) {
    for (int view = 0; view < FRAME_VIEWS; view++)
        if (frame->views[view].n > 0)
            replace(board, (frame_view)view, frame);
    if (frame->views[FRAME_PICTURE].n == 0 && !keep_picture)
        replace(board, FRAME_PICTURE, NULL);
}

static demo_statistics without_words(const demo_statistics *statistics) {
    demo_statistics kept = *statistics;
    kept.source_state = http_is_playing(statistics) ? "playing" : NULL;
    return kept;
}

void frame_board_pin(frame_board *board, const http_frame *frame, const http_state *state,
                     bool keep_picture) {
    shared_frame *shared = take_unused(board);
    const bool filled = shared && fill(board, shared, frame, state);
    pthread_mutex_lock(&board->lock);
    if (shared)
        shared->holders = 1;
    if (filled) {
        shared->sequence = ++board->sequence;
        board->statistics = without_words(&frame->statistics);
        put_up(board, shared, keep_picture);
    }
    let_go(board, shared);
    pthread_mutex_unlock(&board->lock);
}

unsigned long frame_board_newest(frame_board *board, frame_view view) {
    pthread_mutex_lock(&board->lock);
    const shared_frame *frame = board->newest[view];
    const unsigned long sequence = frame ? frame->sequence : 0;
    pthread_mutex_unlock(&board->lock);
    return sequence;
}

shared_frame *frame_board_take(frame_board *board, frame_view view) {
    pthread_mutex_lock(&board->lock);
    shared_frame *frame = board->newest[view];
    if (frame)
        frame->holders++;
    pthread_mutex_unlock(&board->lock);
    return frame;
}

void frame_board_give_back(frame_board *board, shared_frame *frame) {
    pthread_mutex_lock(&board->lock);
    let_go(board, frame);
    pthread_mutex_unlock(&board->lock);
}

demo_statistics frame_board_statistics(frame_board *board) {
    pthread_mutex_lock(&board->lock);
    const demo_statistics statistics = board->statistics;
    pthread_mutex_unlock(&board->lock);
    return statistics;
}
