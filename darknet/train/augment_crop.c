#include "train/augment_crop.h"

#include <math.h>

/* How the scaled picture lies on the network's input. */
typedef struct placement {
    double radians;
    double scale;  /* of the picture's height; its width scales by scale / aspect */
    double aspect; /* by how much it becomes narrower */
    double dx, dy; /* from the picture's centre to the part's, in pixels of the result */
} placement;

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* The scale that makes a picture just cover the input: upstream's for a square one. */
static double covering(double aspect, int w, int h, int net_w, int net_h) {
    return larger(net_w / (w * aspect), (double)net_h / h);
}

/* The longer side of the picture's cover is a whole number of pixels, as upstream's. */
static double draw_ratio(random_stream *random, const crop_options *o, int net_w) {
    const int a = (int)(o->min_ratio * net_w), b = (int)(o->max_ratio * net_w);
    const int low = a < b ? a : b, high = a < b ? b : a;
    const int side = low + random_below(random, high - low + 1);
    return larger(side, 1) / net_w;
}

/* Shifts by whole pixels don't blur a picture whose scale is 1. */
static int draw_shift(random_stream *random, int most) {
    return most ? random_below(random, 2 * most + 1) - most : 0;
}

static placement draw_placement(random_stream *random, const crop_options *o, int w, int h,
                                int net_w, int net_h) {
    placement p = {.aspect = random_factor(random, o->aspect)};
    p.scale = draw_ratio(random, o, net_w) * covering(p.aspect, w, h, net_w, net_h);
    p.radians = random_uniform(random, -o->angle, o->angle) * (M_PI / 180);
    const double room_x = (w * p.scale / p.aspect - net_w) / 2, room_y = (h * p.scale - net_h) / 2;
    p.dx = random_uniform(random, (float)-room_x, (float)room_x);
    p.dy = random_uniform(random, (float)-room_y, (float)room_y);
    p.dx += draw_shift(random, o->max_shift);
    p.dy += draw_shift(random, o->max_shift);
    return p;
}

static picture_map map_of(const placement *p, int w, int h, int net_w, int net_h) {
    const double c = cos(p->radians), s = sin(p->radians);
    const double across = p->aspect / p->scale, down = 1 / p->scale;
    const double left = p->dx - net_w / 2., top = p->dy - net_h / 2.;
    return (picture_map){.xu = c * across,
                         .xv = -s * down,
                         .x0 = c * across * left - s * down * top + w / 2.,
                         .yu = s * across,
                         .yv = c * down,
                         .y0 = s * across * left + c * down * top + h / 2.};
}

crop_plan crop_draw(random_stream *random, const crop_options *o, int w, int h, int net_w,
                    int net_h) {
    const placement place = o->center
                                ? (placement){.scale = covering(1, w, h, net_w, net_h), .aspect = 1}
                                : draw_placement(random, o, w, h, net_w, net_h);
    crop_plan plan = {.net_w = net_w, .net_h = net_h};
    plan.map = map_of(&place, w, h, net_w, net_h);
    plan.mirrored = random_below(random, 2);
    plan.colours = colour_draw(random, o->hue, o->saturation, o->exposure);
    return plan;
}

gdrq_status crop_picture(const crop_plan *plan, const picture *in, unsigned char *codes,
                         gdrq_error *err) {
    picture part;
    const gdrq_status status =
        picture_warp(in, &plan->map, plan->net_w, plan->net_h, plan->ground, &part, err);
    if (status == GDRQ_OK)
        colour_planes(&part, plan->mirrored, &plan->colours, codes);
    picture_free(&part);
    return status;
}
