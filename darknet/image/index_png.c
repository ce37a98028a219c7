#include "image/index_png.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/write_all.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SIGNATURE = 8, LONGEST_SIDE = 65535 };
static const long long most_pixels = 1LL << 28;

/* What libpng's callbacks and jumps work with; in memory, as locals don't survive a longjmp(). */
typedef struct png_job {
    const char *path;
    gdrq_status status;
    gdrq_error *err;
    FILE *file;
    int fd;
    png_structp png;
    png_infop info;
    index_picture *picture;
    const index_picture *source;
    const palette *colours;
} png_job;

static void stop(png_structp png, png_const_charp message) {
    png_job *job = png_get_error_ptr(png);
    if (job->status == GDRQ_OK)
        job->status =
            gdrq_fail(job->err, GDRQ_ERROR_FORMAT, "%.800s: damaged PNG: %s", job->path, message);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp message) {
    (void)png, (void)message;
}

static gdrq_status fail_job(png_job *job, const char *what) {
    return gdrq_fail(job->err, GDRQ_ERROR_FORMAT, "%.800s: %s", job->path, what);
}

gdrq_status index_picture_make(int w, int h, index_picture *p, gdrq_error *err) {
    *p = (index_picture){.w = w, .h = h};
    p->at = gdrq_alloc((size_t)w * (size_t)h, 1);
    if (p->at)
        return GDRQ_OK;
    *p = (index_picture){0};
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d x %d classes", w, h);
}

void index_picture_free(index_picture *p) {
    free(p->at);
    *p = (index_picture){0};
}

/* ---- reading ---- */

static gdrq_status open_file(png_job *job) {
    struct stat st; /* before opening, which would wait on a pipe */
    if (stat(job->path, &st) != 0)
        return gdrq_fail_errno(job->err, GDRQ_ERROR_IO, "%.800s: can't open", job->path);
    if (!S_ISREG(st.st_mode))
        return gdrq_fail(job->err, GDRQ_ERROR_IO, "%.800s: not a regular file", job->path);
    job->file = fopen(job->path, "rbe");
    if (!job->file)
        return gdrq_fail_errno(job->err, GDRQ_ERROR_IO, "%.800s: can't open", job->path);
    png_byte signature[SIGNATURE];
    if (fread(signature, 1, SIGNATURE, job->file) != SIGNATURE ||
        png_sig_cmp(signature, 0, SIGNATURE) != 0)
        return fail_job(job, "not a PNG file");
    job->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, stop, ignore_warning);
    job->info = job->png ? png_create_info_struct(job->png) : NULL;
    return job->info ? GDRQ_OK
                     : gdrq_fail(job->err, GDRQ_ERROR_MEMORY, "%.800s: out of memory", job->path);
}

static gdrq_status check_header(png_job *job) {
    const long long w = png_get_image_width(job->png, job->info);
    const long long h = png_get_image_height(job->png, job->info);
    const int type = png_get_color_type(job->png, job->info);
    if (type != PNG_COLOR_TYPE_PALETTE && type != PNG_COLOR_TYPE_GRAY)
        return fail_job(job, "has colours or an alpha channel; a pixel must be the number of its "
                             "class: one channel of 8 bits, or a palette");
    if (png_get_bit_depth(job->png, job->info) > 8)
        return fail_job(job, "has 16 bits; a pixel must be the number of its class in 8 bits");
    if (w * h > most_pixels)
        return fail_job(job, "more than 2^28 pixels");
    job->picture->w = (int)w;
    job->picture->h = (int)h;
    return GDRQ_OK;
}

static void read_header(png_job *job) {
    if (setjmp(png_jmpbuf(job->png)))
        return;
    png_set_user_limits(job->png, LONGEST_SIDE, LONGEST_SIDE);
    png_init_io(job->png, job->file);
    png_set_sig_bytes(job->png, SIGNATURE);
    png_read_info(job->png, job->info);
    job->status = check_header(job);
}

/* Pixels of fewer than 8 bits become bytes; values stay. */
static void read_rows(png_job *job) {
    index_picture *p = job->picture;
    if (setjmp(png_jmpbuf(job->png)))
        return;
    png_set_packing(job->png);
    const int passes = png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < p->h; y++)
            png_read_row(job->png, p->at + (size_t)y * (size_t)p->w, NULL);
    png_read_end(job->png, NULL);
}

static void close_file(png_job *job) {
    png_destroy_read_struct(&job->png, &job->info, NULL);
    if (job->file)
        fclose(job->file);
}

gdrq_status index_png_load(const char *path, index_picture *p, gdrq_error *err) {
    png_job job = {.path = path, .err = err, .picture = p};
    *p = (index_picture){0};
    job.status = open_file(&job);
    if (job.status == GDRQ_OK)
        read_header(&job);
    if (job.status == GDRQ_OK)
        job.status = index_picture_make(p->w, p->h, p, err);
    if (job.status == GDRQ_OK)
        read_rows(&job);
    close_file(&job);
    if (job.status != GDRQ_OK)
        index_picture_free(p);
    return job.status;
}

/* ---- writing ---- */

static void put_bytes(png_structp png, png_bytep bytes, png_size_t n) {
    png_job *job = png_get_io_ptr(png);
    if (gdrq_write_all(job->fd, bytes, n))
        return;
    job->status =
        gdrq_fail_errno(job->err, GDRQ_ERROR_IO, "%.800s: can't write the image", job->path);
    png_error(png, "write");
}

static void flush_nothing(png_structp png) {
    (void)png;
}

static void write_rows(png_job *job) {
    const index_picture *p = job->source;
    png_color colours[256];
    for (int i = 0; i < job->colours->n; i++) {
        const unsigned char *rgb = job->colours->rgb[i];
        colours[i] = (png_color){.red = rgb[0], .green = rgb[1], .blue = rgb[2]};
    }
    if (setjmp(png_jmpbuf(job->png)))
        return;
    png_set_write_fn(job->png, job, put_bytes, flush_nothing);
    png_set_IHDR(job->png, job->info, (png_uint_32)p->w, (png_uint_32)p->h, 8,
                 PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_PLTE(job->png, job->info, colours, job->colours->n);
    png_write_info(job->png, job->info);
    for (int y = 0; y < p->h; y++)
        png_write_row(job->png, p->at + (size_t)y * (size_t)p->w);
    png_write_end(job->png, job->info);
}

static gdrq_status write_to(void *user, int fd, gdrq_error *err) {
    png_job *job = user;
    job->fd = fd;
    job->err = err;
    job->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, job, stop, ignore_warning);
    job->info = job->png ? png_create_info_struct(job->png) : NULL;
    if (job->info)
        write_rows(job);
    else
        job->status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%.800s: out of memory", job->path);
    png_destroy_write_struct(&job->png, &job->info);
    return job->status;
}

gdrq_status index_png_save(const index_picture *p, const palette *colours, const char *path,
                           gdrq_error *err) {
    png_job job = {.path = path, .source = p, .colours = colours};
    return gdrq_write_atomically(path, write_to, &job, err);
}
