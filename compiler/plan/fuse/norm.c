/* A batch norm in evaluation scales and shifts each channel: in the program for many images,
 * the convolution before it does that with its sums, while they are in registers.  fold.c does
 * the same for one image. */
#include "plan/fuse/fuse.h"

enum { MAX_CHANNELS = 8192 }; /* three numbers of each are on the kernel's stack */

void fuse_norm(Fusion *fusion, int position)
{
    if (fusion->plan->lanes > 1 && is_affine_norm(fusion, position)
        && node_at(fusion, position)->out->shape.dim[0] <= MAX_CHANNELS)
        fuse_epilogue(fusion, position, PART_AFFINE);
}
