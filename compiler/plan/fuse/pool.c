/* A max pool, in the convolution whose rows it halves.  graph/reorder.c has put it before
 * the activation that it follows. */
#include "plan/fuse/fuse.h"

void fuse_pool(Fusion *fusion, int position)
{
    const Node *node = node_at(fusion, position);
    if (node->stage == STAGE_FORWARD && node->op->is_max_pool && node->op->is_max_pool(node))
        fuse_epilogue(fusion, position, PART_POOL);
}
