/* parametrization.c: a layer's weight that is made of what is learned, before each step: what
 * PyTorch calls a parametrization.  Kernels read the weight and make its gradient as ever; the
 * runtime (runtime/train/derive.c) makes the one of its sources, and of its gradient theirs.
 *
 *   weight_norm             weight[o] = magnitude[o] * direction[o] / |direction[o]|
 *   weight_standardization  weight[o] = (weight[o] - mean) / sqrt(variance + epsilon)
 *
 * of each index o of the first axis.  The state has the sources, under PyTorch's names.
 */
#include "network/network.h"

static bool is_asked(const Node *node, ArgRole role)
{
    int arg = role_arg(node->op, role);
    return arg >= 0
           && (role == ROLE_WEIGHT_NORM ? node->args[arg].integer[0] != 0 : node->args[arg].given);
}

/* One of the weight's shape, or of one value for each index of its first axis. */
static Parameter *add_source(Node *node, const Parameter *weight, const char *name,
                             const char *path, bool magnitude)
{
    Int dim[MAX_DIMS];
    for (int axis = 0; axis < weight->rank; axis++)
        dim[axis] = magnitude && axis > 0 ? 1 : weight->dim[axis];
    Parameter *source = node_parameter(node, name, PARAMETER_TRAINED, weight->init, weight->rank,
                                       dim, weight->fan_in, weight->fan_out);
    source->makes = weight;
    source->path = format("%s.%s", node->path, path);
    return source;
}

static bool report_both(const Node *node)
{
    const ArgValue *norm = &node->args[role_arg(node->op, ROLE_WEIGHT_NORM)];
    Diagnostic *d = node_error(node, "argument-range",
                               node->args[role_arg(node->op, ROLE_STANDARDIZATION)].span,
                               "%s: its weight cannot be made in two ways", node->op->name);
    diag_label(d, norm->span, "one of them");
    diag_help(d, "leave one out");
    return false;
}

bool parametrize_weight(Node *node)
{
    bool norm = is_asked(node, ROLE_WEIGHT_NORM),
         standardized = is_asked(node, ROLE_STANDARDIZATION);
    if (norm && standardized)
        return report_both(node);
    if (!norm && !standardized)
        return true;
    Parameter *weight = find_parameter(node, "weight");
    if (norm) {
        weight->sources[0] =
            add_source(node, weight, "weight_magnitude", "parametrizations.weight.original0", true);
        weight->sources[1] = add_source(node, weight, "weight_direction",
                                        "parametrizations.weight.original1", false);
        return true;
    }
    weight->sources[0] = add_source(node, weight, "weight_source", "weight", false);
    weight->epsilon = node->args[role_arg(node->op, ROLE_STANDARDIZATION)].real;
    return true;
}
