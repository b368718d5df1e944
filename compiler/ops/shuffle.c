/* shuffle.c: channels in another order, and channels that become rows and columns or the reverse.
 * ShuffleNet: Zhang et al. 2017, https://arxiv.org/abs/1707.01083; sub-pixel convolution: Shi et
 * al. 2016, https://arxiv.org/abs/1609.05158.
 */
#include "kernels/grain/strided.h"
#include "ops/operator.h"

enum { FACTOR };

/* ------------------------------------------------------ channel_shuffle */

static const ArgSpec groups_args[] = {[FACTOR] = {"groups", ARG_INT, ROLE_GROUPS,
                                                  .positional = true, .minimum = 1,
                                                  .maximum = LARGEST,
                                                  .doc = "Into how many parts the channels are "
                                                         "cut, of which each gives one in turn."},
                                      {0}};

static Int factor_of(const Node *node)
{
    return node->args[FACTOR].integer[0];
}

static bool report_factor(const Node *node, const char *what)
{
    Diagnostic *d =
        node_error(node, "groups", node->args[FACTOR].span, "%s: %s", node->op->name, what);
    diag_caption(d, "the input is %s", shape_text(input_shape(node)));
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool infer_channels(Node *node)
{
    Int channels = input_shape(node).dim[0];
    if (channels % factor_of(node))
        return report_factor(node, format("groups=%lld does not divide the %lld channels",
                                          factor_of(node), channels));
    return infer_same_shape(node);
}

static bool emit_channels(Kernel *kernel)
{
    Shape shape = input_shape(kernel->node);
    Int groups = factor_of(kernel->node), plane = shape_plane(shape), each = shape.dim[0] / groups;
    emit_strided(
        kernel,
        (Strided){.rank = 3, .size = {each, groups, plane}, .step = {plane, each * plane, 1}});
    return true;
}

/* -------------------------------------------------------- pixel_shuffle */

#define FACTOR_ARG(name_, doc_)                                                              \
    {                                                                                        \
        {name_, ARG_INT, .positional = true, .minimum = 1, .maximum = 1 << 15, .doc = doc_}, \
        {                                                                                    \
            0                                                                                \
        }                                                                                    \
    }
static const ArgSpec up_args[] =
    FACTOR_ARG("upscale_factor", "How many times as many rows and columns there are then.");
static const ArgSpec down_args[] =
    FACTOR_ARG("downscale_factor", "How many times fewer rows and columns there are then.");

static bool infer_up(Node *node)
{
    Shape in = input_shape(node);
    Int r = factor_of(node);
    if (in.dim[0] % (r * r))
        return report_factor(
            node, format("%lld*%lld does not divide the %lld channels", r, r, in.dim[0]));
    node->out_shape = shape_of(3, in.dim[0] / (r * r), in.dim[1] * r, in.dim[2] * r);
    return true;
}

static bool infer_down(Node *node)
{
    Shape in = input_shape(node);
    Int r = factor_of(node);
    if (in.dim[1] % r || in.dim[2] % r)
        return report_factor(node, format("%lld does not divide the %lld rows and %lld columns", r,
                                          in.dim[1], in.dim[2]));
    node->out_shape =
        shape_of(3, saturating_product(3, (Int[]){in.dim[0], r, r}), in.dim[1] / r, in.dim[2] / r);
    return true;
}

/* y[c, i*r + a, j*r + b] = x[c*r*r + a*r + b, i, j], in y's order c, i, a, j, b. */
static bool emit_up(Kernel *kernel)
{
    Shape in = input_shape(kernel->node);
    Int r = factor_of(kernel->node), plane = shape_plane(in);
    emit_strided(kernel, (Strided){.rank = 5,
                                   .size = {in.dim[0] / (r * r), in.dim[1], r, in.dim[2], r},
                                   .step = {r * r * plane, in.dim[2], r * plane, 1, plane}});
    return true;
}

/* y[c*r*r + a*r + b, i, j] = x[c, i*r + a, j*r + b], in y's order c, a, b, i, j. */
static bool emit_down(Kernel *kernel)
{
    Shape in = input_shape(kernel->node);
    Int r = factor_of(kernel->node), width = in.dim[2];
    emit_strided(kernel, (Strided){.rank = 5,
                                   .size = {in.dim[0], r, r, in.dim[1] / r, width / r},
                                   .step = {shape_plane(in), width, 1, r * width, r}});
    return true;
}

const Operator operator_channel_shuffle = {
    .name = "channel_shuffle",
    .summary = "Channels in another order: one of each group in turn.",
    .shape_rule = "[c, h, w] -> [c, h, w]; or any other shape, unchanged",
    .formula = "y[k*groups + g, ...] = x[g*(c/groups) + k, ...]",
    .reference = "Zhang et al. 2017, https://arxiv.org/abs/1707.01083\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.ChannelShuffle.html",
    .args = groups_args,
    .infer = infer_channels,
    .emit = emit_channels,
};

const Operator operator_pixel_shuffle = {
    .name = "pixel_shuffle",
    .summary = "A larger image, of r*r channels each one of its own.",
    .shape_rule = "[c*r*r, h, w] -> [c, h*r, w*r] with r = upscale_factor",
    .formula = "y[c, i*r + a, j*r + b] = x[c*r*r + a*r + b, i, j]",
    .reference = "Shi et al. 2016, https://arxiv.org/abs/1609.05158\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html",
    .args = up_args,
    .ranks = RANK(3),
    .infer = infer_up,
    .emit = emit_up,
};

const Operator operator_pixel_unshuffle = {
    .name = "pixel_unshuffle",
    .summary = "A smaller image of more channels: what pixel_shuffle takes.",
    .shape_rule = "[c, h*r, w*r] -> [c*r*r, h, w] with r = downscale_factor",
    .formula = "y[c*r*r + a*r + b, i, j] = x[c, i*r + a, j*r + b]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.PixelUnshuffle.html",
    .args = down_args,
    .ranks = RANK(3),
    .infer = infer_down,
    .emit = emit_down,
};
