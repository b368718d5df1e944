/* pointwise.c: the loop of an operator that goes element by element. */
#include "kernels/kernel.h"

bool emit_pointwise(Kernel *kernel)
{
    const Node *node = kernel->node;
    const char *value = pointwise_expression(node);
    open_pieces(kernel, "i", shape_elements(node->out->shape));
    if (node->stage == STAGE_FORWARD)
        kernel_store(kernel, "y[i]", "i", value);
    else
        kernel_store(kernel, "dx[i]", "i", node->accumulate ? format("dx[i] + %s", value) : value);
    kernel_line(kernel, "}");
    return true;
}
