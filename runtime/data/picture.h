/* picture.h: what an augmentation does to the bytes of one image, [c][h][w], once all that is
 * random was drawn.  colour.c has the colours, warp.c what moves pixels.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include "runtime.h"

/* colour.c: in place; c is 1 or 3. */
void net_adjust_brightness(uint8_t *pixels, NetShape shape, double factor);
void net_adjust_contrast(uint8_t *pixels, NetShape shape, double factor);
void net_adjust_saturation(uint8_t *pixels, NetShape shape, double factor);
void net_adjust_hue(uint8_t *pixels, NetShape shape, double turn);
/* `from` is a copy of pixels. */
void net_adjust_sharpness(uint8_t *pixels, const uint8_t *from, NetShape shape, double factor);
void net_posterize(uint8_t *pixels, NetShape shape, int bits);
void net_solarize(uint8_t *pixels, NetShape shape, double threshold);
/* What is darker than the middle gets so much brighter. */
void net_solarize_add(uint8_t *pixels, NetShape shape, int added);
void net_invert(uint8_t *pixels, NetShape shape);
void net_autocontrast(uint8_t *pixels, NetShape shape);
void net_equalize(uint8_t *pixels, NetShape shape);

/* warp.c: which of `size` pixels of a row or a column stands at any place, as the border has it;
 * -1: none, it is the fill. */
int64_t net_border_index(NetBorderMode mode, int64_t at, int64_t size);
uint8_t net_border_fill(const NetBorder *border, int64_t channel);

/* warp.c: an affine map of torchvision: a shear about a centre, then a rotation and a scale, then a
 * move.  Angles in radians, places from the image's middle, in pixels. */
typedef struct NetAffine {
    double angle, scale_x, scale_y, shear_x, shear_y, right, down, centre_x, centre_y;
    bool bilinear; /* else the nearest pixel */
    NetBorder border;
} NetAffine;
#define NET_RADIAN (3.14159265358979323846 / 180)
void net_warp(uint8_t *to, const uint8_t *from, NetShape shape, const NetAffine *affine);

/* The same of numbers, [shape], which may be any; `fill` stands for the border's. */
void net_warp_numbers(double *to, const double *from, NetShape shape, const NetAffine *affine,
                      double fill);

/* A part of an image, in pixels. */
typedef struct NetWindow {
    int64_t top, left, height, width;
} NetWindow;
/* The part of from, [shape], made `to`, of another height and width, by torchvision's resize:
 * bilinear, and of what becomes smaller an average (antialias). */
void net_resize_window(uint8_t *to, NetShape to_shape, const uint8_t *from, NetShape shape,
                       NetWindow window);
/* The same of numbers; or of each the nearest, by the pixels' middles. */
void net_resize_numbers(double *to, NetShape to_shape, const double *from, NetShape shape,
                        NetWindow window, bool nearest);
/* The same of a [height, width] that it all would be, but of that a part alone, [c][part.height]
 * [part.width], which is black where it reaches beyond the edges. */
bool net_resize_part(uint8_t *to, NetWindow part, int64_t height, int64_t width,
                     const uint8_t *from, NetShape shape, NetWindow window, NetError *error);

/* mix.c: `to` may be `own`. */
void net_mix_images(uint8_t *to, const uint8_t *own, const uint8_t *other, NetShape shape,
                    const NetMixing *mixing);

#endif
