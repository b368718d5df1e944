/* identity.c: the tensor itself, for a value such as activation=identity. */
#include "ops/operator.h"

const Operator operator_identity = {
    .name = "identity",
    .summary = "The input itself.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Identity.html",
    .traits = OP_VIEW | OP_WHOLE,
    .infer = infer_same_shape,
};
