/* An activation's gradient, in the kernel that makes the gradient of its output. */
#include "plan/fuse/fuse.h"

void fuse_gradient(Fusion *fusion, int position)
{
    const Node *node = node_at(fusion, position);
    if (node->stage == STAGE_BACKWARD_INPUT && !node->accumulate && pointwise_expression(node))
        fuse_epilogue(fusion, position, PART_EPILOGUE);
}
