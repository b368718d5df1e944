/* arcface.c: losses of a classifier whose outputs are cosines, of an image's direction and of one
 * for each class.  The right class's is made smaller by a margin before the softmax, so that the
 * images of a class come closer together than the softmax alone asks: of its angle, or of itself.
 */
#include "ops/operator.h"

#include <string.h>

#define SCALE_ARG                                                                             \
    {                                                                                         \
        "scale", ARG_REAL, .otherwise = "64.0", .minimum = 1e-6, .maximum = 1e6,              \
                           .doc = "What the cosines are multiplied by before their softmax: " \
                                  "the length of a face's vector."                            \
    }

static const ArgSpec arcface_args[] = {
    {"margin", ARG_REAL, .otherwise = "0.5", .maximum = 3.14,
     .doc = "What the right class's angle is made larger by, in radians."},
    SCALE_ARG,
    {0}};
static const ArgSpec cosface_args[] = {{"margin", ARG_REAL, .otherwise = "0.35", .maximum = 2,
                                        .doc = "What the right class's cosine is made smaller by."},
                                       SCALE_ARG,
                                       {0}};

static bool is_true(const Node *node, const char *name)
{
    return node->args[operator_arg(node->op, name)].integer[0] != 0;
}

static bool report(const Node *loss, const Node *layer, const char *why, const char *remedy)
{
    Diagnostic *d =
        node_error(loss, "not-cosines", loss->span, "%s takes cosines, and %s gives others: %s",
                   loss->op->name, layer->path, why);
    diag_label(d, layer->span, "the output that it reads");
    diag_help(d, "%s", remedy);
    return false;
}

/* A linear layer gives cosines of what has length 1 with rows that have length 1.  What other
 * operators give may be cosines, as the product of two normalized matrices is. */
static bool infer(Node *node)
{
    const Node *layer = first_input(node)->producer;
    if (layer == NULL || strcmp(layer->op->name, "linear") != 0)
        return true;
    const Node *before = first_input(layer)->producer;
    if (!is_true(layer, "unit_norm"))
        return report(node, layer, "its weights have any length",
                      "linear(…, bias=false, unit_norm=true) behind normalize");
    if (is_true(layer, "bias"))
        return report(node, layer, "it adds a bias to them", "bias=false");
    if (before == NULL || strcmp(before->op->name, "normalize") != 0)
        return report(node, layer, "its input has any length", "normalize before it");
    return true;
}

#define OF_COSINES                                                                        \
    .shape_rule = "[classes] -> one loss per image", .ranks = RANK(1), .traits = OP_LOSS, \
    .input_gradient_reads = READS_X, .target = TARGET_CLASSES, .infer = infer

const Operator operator_arcface = {
    .name = "arcface",
    .summary = "Cross-entropy of cosines, the target's angle larger by a margin: linear(classes, "
               "bias=false, unit_norm=true) behind normalize.",
    .formula = "loss = -log(softmax(z)[t]), z[k] = scale * x[k]\n"
               "z[t] = scale * cos(acos(x[t]) + margin), while that angle is at most pi;\n"
               "beyond, and so that it goes on falling, scale * (x[t] - margin * sin(margin))",
    .reference = "https://arxiv.org/abs/1801.07698",
    .args = arcface_args,
    OF_COSINES,
};

const Operator operator_cosface = {
    .name = "cosface",
    .summary = "Cross-entropy of cosines, the target's smaller by a margin: linear(classes, "
               "bias=false, unit_norm=true) behind normalize.",
    .formula = "loss = -log(softmax(z)[t]), z[k] = scale * x[k], z[t] = scale * (x[t] - margin)",
    .reference = "https://arxiv.org/abs/1801.09414",
    .args = cosface_args,
    OF_COSINES,
};
