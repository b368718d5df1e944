/* sampling.h: an image's values at places of its own (../sampling.h). */
#ifndef IMAGE_SAMPLING_H
#define IMAGE_SAMPLING_H

#include "kernels/image/image.h"
#include "kernels/sampling.h"

void image_samples(ImageKernel *image, const Sampling *sampling);

#endif
