/* sampling.h: the kernels of a grain that sample an image: its values, its gradient, and that of
 * the places (../sampling.h).
 *
 *   x0 [c][plane]   x1 [places][axes]   y, dy [c][places]
 */
#ifndef GRAIN_SAMPLING_H
#define GRAIN_SAMPLING_H

#include "kernels/sampling.h"

void emit_samples(Kernel *kernel, const Sampling *sampling);
void emit_sampled_gradient(Kernel *kernel, const Sampling *sampling);
void emit_place_gradient(Kernel *kernel, const Sampling *sampling);

#endif
