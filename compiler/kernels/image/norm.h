/* norm.h: an image's values normalised among themselves: the channels of each position, or the
 * positions of each channel.
 */
#ifndef IMAGE_NORM_H
#define IMAGE_NORM_H

#include "kernels/image/image.h"

typedef struct ImageNorm {
    bool centred; /* the mean is taken off; false: mean squares alone */
    bool weight, bias;
    double eps; /* added to the variance */
} ImageNorm;

/* The channels of each position; weight[c] and bias[c]. */
void image_norm_channels(ImageKernel *image, ImageNorm norm);
/* Every `length` positions that follow one another, of each channel; weight[i] and bias[i] of the
 * i-th of them. */
void image_norm_positions(ImageKernel *image, ImageNorm norm, Int length);
/* All positions of each of so many groups of channels; weight[c] and bias[c]. */
void image_norm_groups(ImageKernel *image, ImageNorm norm, Int groups);

#endif
