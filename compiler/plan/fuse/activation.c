/* A relu and its like, in the kernel that makes its input. */
#include "plan/fuse/fuse.h"

void fuse_activation(Fusion *fusion, int position)
{
    const Node *node = node_at(fusion, position);
    if (node->stage == STAGE_FORWARD && node->inputs.count == 1 && pointwise_expression(node))
        fuse_epilogue(fusion, position, PART_EPILOGUE);
}
