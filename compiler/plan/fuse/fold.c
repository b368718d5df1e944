/* A batch norm in evaluation scales and shifts each channel: in the program for one image,
 * which packs its weights anyhow, the layer before it takes that into them. */
#include "plan/fuse/fuse.h"

void fold_norm(Fusion *fusion, int position)
{
    if (fusion->plan->lanes == 1 && is_affine_norm(fusion, position))
        fuse_epilogue(fusion, position, PART_AFFINE);
}
