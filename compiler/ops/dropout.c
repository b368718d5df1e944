/* dropout.c: values zeroed at random in training, the others scaled so that the mean stays: one by
 * one, whole channels (dropout1d, 2d and 3d), or all that a skip's body makes of an image
 * (drop_path).  The alpha ones set them to what selu tends to, and keep the variance, too.  What
 * is dropped follows from the seed, the step, the layer and the index of what is dropped, so
 * nothing is noted for the backward pass: it draws the same numbers again.
 */
#include "ops/operator.h"

#include <math.h>

enum { P };

#define ARGUMENTS(what)                                        \
    {                                                          \
        [P] = {"p",                                            \
               ARG_REAL,                                       \
               .positional = true,                             \
               .otherwise = "0.5",                             \
               .maximum = 1,                                   \
               .doc = "Probability that " what " is zeroed."}, \
        {                                                      \
            0                                                  \
        }                                                      \
    }

static const ArgSpec args[] = ARGUMENTS("a value");
static const ArgSpec channel_args[] = ARGUMENTS("a channel");
static const ArgSpec path_args[] = {
    [P] = {"p", ARG_REAL, .positional = true, .maximum = 1,
           .doc = "Probability that all values of an image are zeroed."},
    {0}};
static const ArgSpec alpha_args[] = {
    [P] = {"p", ARG_REAL, .positional = true, .otherwise = "0.5", .maximum = 1,
           .doc = "Probability that a value, or a channel, is dropped."},
    {0}};

static bool is_alpha(const Node *node)
{
    return node->op == &operator_alpha_dropout || node->op == &operator_feature_alpha_dropout;
}

/* How many values of an image, one behind the other, have one fate. */
static Int values_together(const Node *node)
{
    Shape shape = node->out->shape;
    if (node->op == &operator_dropout || node->op == &operator_alpha_dropout)
        return 1;
    return node->op == &operator_drop_path ? shape_elements(shape) : shape_plane(shape);
}

/* What is drawn has 53 bits: it is below p where those are below this. */
static unsigned long long drawn_below(double p)
{
    return (unsigned long long)ceil(p * 0x1p53);
}

/* A kept value becomes x * scale + shift, a dropped one `dropped`; where p is 1, all are 0.
 * Alpha: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515, section 3. */
typedef struct Fates {
    double scale, shift, dropped;
} Fates;

static Fates fates_of(const Node *node)
{
    const double lowest = -1.7580993408473766; /* -scale * alpha of selu */
    double p = node->args[P].real;
    if (p == 1)
        return (Fates){0, 0, 0};
    if (!is_alpha(node))
        return (Fates){1 / (1 - p), 0, 0};
    double scale = 1 / sqrt((1 - p) * (1 + p * lowest * lowest));
    return (Fates){scale, -scale * p * lowest, scale * (1 - p) * lowest};
}

/* Declares `fates`, a row of lanes that are set where the value, one of so many of an image, is
 * dropped. */
static void draw(Kernel *kernel, const char *index, Int count)
{
    kernel_line(kernel, "const mask fates = dropout_mask(key, s->step, first%s, %lldu, %lluu);",
                index, count, drawn_below(kernel->node->args[P].real));
}

/* What becomes of value i. */
static void store_value(Kernel *kernel)
{
    const Node *node = kernel->node;
    Fates fates = fates_of(node);
    bool forward = kernel->stage == STAGE_FORWARD;
    if (!is_alpha(node)) {
        kernel_line(kernel, "%s * factor;",
                    forward            ? "y[i] = x[i]"
                    : node->accumulate ? "dx[i] += dy[i]"
                                       : "dx[i] = dy[i]");
        return;
    }
    kernel_line(kernel,
                forward ? "y[i] = vec_select(fates, splat((real)%.17g), x[i] * (real)%.17g + "
                          "(real)%.17g);"
                : node->accumulate
                    ? "dx[i] += vec_select(fates, splat((real)%.1f), dy[i] * (real)%.17g);"
                    : "dx[i] = vec_select(fates, splat((real)%.1f), dy[i] * (real)%.17g);",
                forward ? fates.dropped : 0.0, fates.scale, fates.shift);
}

/* One fate: of a value, a channel or an image. */
static void decide(Kernel *kernel, const char *index, Int count)
{
    if (is_alpha(kernel->node)) {
        draw(kernel, index, count);
        return;
    }
    kernel_line(
        kernel,
        "const vec factor = vec_select(dropout_mask(key, s->step, first%s, %lldu, %lluu), (vec){ 0 "
        "}, splat((real)%.17g));",
        index, count, drawn_below(kernel->node->args[P].real), fates_of(kernel->node).scale);
}

/* In training: evaluation leaves the node out. */
static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    Int elements = shape_elements(node->out->shape), together = values_together(node),
        count = elements / together;
    if (!kernel->training)
        return false;
    kernel_line(kernel, "const uint64_t key = net_random_key(s->seed, %d);", node_salt(node));
    kernel_line(kernel, "const uint64_t first = (uint64_t)(g * LANES) * %lldu;", count);
    if (count == 1)
        decide(kernel, "", count);
    open_pieces(kernel, count == 1 || together == 1 ? "i" : "c", count == 1 ? elements : count);
    if (count > 1 && together == 1) {
        decide(kernel, " + (uint64_t)i", count);
    } else if (count > 1) {
        decide(kernel, " + (uint64_t)c", count);
        kernel_line(kernel, "for (int64_t i = c * %lldL; i < (c + 1) * %lldL; i++) {", together,
                    together);
    }
    store_value(kernel);
    if (count > 1 && together > 1)
        kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    return true;
}

#define REFERENCE(page) "https://pytorch.org/docs/stable/generated/torch.nn." page ".html"
#define DROPOUT .traits = OP_TRAINING_ONLY | OP_IN_PLACE, .infer = infer_same_shape, .emit = emit
#define CHANNELS                                                                               \
    .summary =                                                                                 \
        "In training, zeroes each channel with probability p; in evaluation, the identity.",   \
    .formula = "y[c] = x[c] / (1 - p) with probability 1 - p, else 0: all positions together", \
    .args = channel_args, DROPOUT

const Operator operator_dropout = {
    .name = "dropout",
    .summary = "In training, zeroes each value with probability p; in evaluation, the identity.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x / (1 - p) with probability 1 - p, else 0",
    .reference = REFERENCE("Dropout"),
    .args = args,
    DROPOUT,
};

const Operator operator_dropout1d = {
    .name = "dropout1d",
    .shape_rule = "[c, t] -> [c, t]",
    .reference = REFERENCE("Dropout1d"),
    .ranks = RANK(2),
    CHANNELS,
};

const Operator operator_dropout2d = {
    .name = "dropout2d",
    .shape_rule = "[c, h, w] -> [c, h, w]",
    .reference = REFERENCE("Dropout2d"),
    .ranks = RANK(3),
    CHANNELS,
};

const Operator operator_dropout3d = {
    .name = "dropout3d",
    .shape_rule = "[c, d, h, w] -> [c, d, h, w]",
    .reference = REFERENCE("Dropout3d"),
    .ranks = RANK(4),
    CHANNELS,
};

#define ALPHA(what)                                                                     \
    "y = scale*x + shift with probability 1 - p, else scale*(1 - p)*lowest, " what "\n" \
    "scale = 1/sqrt((1 - p)*(1 + p*lowest^2)), shift = -scale*p*lowest, lowest = -1.7581"

const Operator operator_alpha_dropout = {
    .name = "alpha_dropout",
    .summary = "Dropout that keeps mean and variance, for networks of selu.",
    .shape_rule = "any shape, unchanged",
    .formula = ALPHA("value by value"),
    .reference = REFERENCE("AlphaDropout"),
    .args = alpha_args,
    DROPOUT,
};

const Operator operator_feature_alpha_dropout = {
    .name = "feature_alpha_dropout",
    .summary = "Dropout of whole channels that keeps mean and variance, for networks of selu.",
    .shape_rule = "[c, h, w] -> [c, h, w], or [c, t], [c, d, h, w]",
    .formula = ALPHA("channel by channel"),
    .reference = REFERENCE("FeatureAlphaDropout"),
    .args = alpha_args,
    .ranks = RANK(2) | RANK(3) | RANK(4),
    DROPOUT,
};

const Operator operator_drop_path = {
    .name = "drop_path",
    .summary = "Stochastic depth: in training, zeroes what a skip's body makes of an image with "
               "probability p.",
    .shape_rule = "any shape, unchanged",
    .formula =
        "y = x / (1 - p) with probability 1 - p, else 0: one draw for an image, mode=\"row\"",
    .reference = "Huang et al. 2016, https://arxiv.org/abs/1603.09382\n"
                 "https://pytorch.org/vision/stable/generated/torchvision.ops.StochasticDepth.html",
    .args = path_args,
    DROPOUT,
};
