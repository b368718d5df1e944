/* An add or mul of several tensors, in the kernel that makes the last of its inputs. */
#include "plan/fuse/fuse.h"

void fuse_residual(Fusion *fusion, int position)
{
    const Node *node = node_at(fusion, position);
    if (node->stage == STAGE_FORWARD && node->inputs.count > 1 && pointwise_expression(node))
        fuse_epilogue(fusion, position, PART_EPILOGUE);
}
