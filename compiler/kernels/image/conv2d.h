/* conv2d.h: a convolution's kernel of one image, whose padding is zeros. */
#ifndef IMAGE_CONV2D_H
#define IMAGE_CONV2D_H

#include "kernels/image/image.h"

bool can_do_image_conv2d(const Node *node);
void emit_image_conv2d(ImageKernel *image);

#endif
