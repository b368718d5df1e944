/* A batch norm in evaluation scales and shifts each channel: in the program for one image,
 * which packs its weights anyhow, the layer before it takes that into them. */
#include "plan/fuse/fuse.h"

void fold_norm(Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = node_at(fusion, position);
    if (plan->lanes == 1 && !plan->training && node->stage == STAGE_FORWARD
        && (node->op->traits & OP_AFFINE))
        fuse_epilogue(fusion, position, PART_AFFINE);
}
