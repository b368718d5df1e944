/* parametrization.c: a layer's weight that is made of what is learned, before each step: what
 * PyTorch calls a parametrization.  Kernels read the weight and make its gradient as ever; the
 * runtime (runtime/train/derive.c) makes the one of its sources, and of its gradient theirs.
 *
 *   weight_norm             weight[o] = magnitude[o] * direction[o] / |direction[o]|
 *   weight_standardization  weight[o] = (weight[o] - mean) / sqrt(variance + epsilon)
 *   unit_norm               weight[o] = weight[o] / |weight[o]|
 *   spectral_norm           weight = original / its largest singular value, as a matrix
 *
 * of each index o of the first axis; the matrix's rows are of the axis of output channels.  The
 * state has the sources, under PyTorch's names.
 */
#include "network/network.h"

/* The way that `node` asks for; ROLE_NONE: the weight is learned itself.  `other`: one more. */
static ArgRole asked_way(const Node *node, ArgRole *other)
{
    static const ArgRole ways[] = {ROLE_WEIGHT_NORM, ROLE_STANDARDIZATION, ROLE_UNIT_NORM,
                                   ROLE_SPECTRAL_NORM};
    ArgRole way = ROLE_NONE;
    *other = ROLE_NONE;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        int arg = role_arg(node->op, ways[i]);
        if (arg < 0
            || !(ways[i] == ROLE_STANDARDIZATION ? node->args[arg].given
                                                 : node->args[arg].integer[0] != 0))
            continue;
        *other = way;
        way = ways[i];
        if (*other != ROLE_NONE)
            break;
    }
    return way;
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

static bool report_both(const Node *node, ArgRole way, ArgRole other)
{
    Diagnostic *d = node_error(node, "argument-range", node->args[role_arg(node->op, way)].span,
                               "%s: its weight cannot be made in two ways", node->op->name);
    diag_label(d, node->args[role_arg(node->op, other)].span, "one of them");
    diag_help(d, "leave one out");
    return false;
}

/* Iterations of what there is not. */
static bool report_iterations(const Node *node)
{
    Diagnostic *d = node_error(
        node, "argument-range", node->args[role_arg(node->op, ROLE_POWER_ITERATIONS)].span,
        "%s: n_power_iterations is of a spectral norm, and there is none", node->op->name);
    diag_help(d, "add spectral_norm=true, or leave it out");
    return false;
}

/* PyTorch's: `dim` is 1 of transposed convolutions, whose second axis has the output channels. */
static void add_vectors(Node *node, Parameter *weight)
{
    static const Init drawn = {INIT_NORMAL, 0, 1};
    weight->matrix_axis = node->op->window == WINDOW_TRANSPOSED;
    weight->iterations = node->args[role_arg(node->op, ROLE_POWER_ITERATIONS)].integer[0];
    Int rows = weight->dim[weight->matrix_axis], length = weight->elements / rows;
    weight->left = node_parameter(node, "weight_u", PARAMETER_BUFFER, drawn, 1, &rows, 1, 1);
    weight->right = node_parameter(node, "weight_v", PARAMETER_BUFFER, drawn, 1, &length, 1, 1);
    weight->left->path = format("%s.parametrizations.weight.0._u", node->path);
    weight->right->path = format("%s.parametrizations.weight.0._v", node->path);
    weight->left->makes = weight->right->makes = weight;
}

bool parametrize_weight(Node *node)
{
    ArgRole other, way = asked_way(node, &other);
    int iterations = role_arg(node->op, ROLE_POWER_ITERATIONS);
    if (other != ROLE_NONE)
        return report_both(node, way, other);
    if (iterations >= 0 && node->args[iterations].given && way != ROLE_SPECTRAL_NORM)
        return report_iterations(node);
    if (way == ROLE_NONE)
        return true;
    Parameter *weight = find_parameter(node, "weight");
    if (way == ROLE_WEIGHT_NORM) {
        weight->sources[0] =
            add_source(node, weight, "weight_magnitude", "parametrizations.weight.original0", true);
        weight->sources[1] = add_source(node, weight, "weight_direction",
                                        "parametrizations.weight.original1", false);
        return true;
    }
    bool spectral = way == ROLE_SPECTRAL_NORM;
    weight->sources[0] =
        add_source(node, weight, "weight_source",
                   spectral ? "parametrizations.weight.original" : "weight", false);
    if (spectral)
        add_vectors(node, weight);
    else if (way == ROLE_STANDARDIZATION)
        weight->epsilon = node->args[role_arg(node->op, ROLE_STANDARDIZATION)].real;
    return true;
}
