/* noise.c: a tensor that is drawn anew for each image of each training step.  What is drawn follows
 * from the seed, the step, the layer and the value's index, as with dropout.  In evaluation it is
 * its distribution's mean, so that it leaves nothing to chance.
 */
#include "ops/source.h"

#include <string.h>

enum { SHAPE, DISTRIBUTION };

static const char *const distributions[] = {"normal", "uniform", NULL};

static const ArgSpec args[] = {
    [SHAPE] = SHAPE_ARGUMENT,
    [DISTRIBUTION] = {"draw", ARG_INIT, .positional = true, .words = distributions,
                      .doc = "What is drawn from: normal(mean=0, std=1), uniform(a=0, b=1)."},
    {0}};

static Init drawn_from(const Node *node)
{
    const ArgValue *distribution = &node->args[DISTRIBUTION];
    return distribution->init->init(NULL, distribution->init_args);
}

static const char *mean_value(const Node *node)
{
    Init from = drawn_from(node);
    return format("splat((real)%.17g)",
                  from.kind == INIT_NORMAL ? from.a : from.a + (from.b - from.a) / 2);
}

/* A training step's: lane by lane, by the runtime's generator. */
static void emit_drawn(Kernel *kernel)
{
    const Node *node = kernel->node;
    Init from = drawn_from(node);
    long long elements = shape_elements(node->out->shape);
    bool normal = from.kind == INIT_NORMAL;
    kernel_line(kernel, "const uint64_t first = (uint64_t)(g * LANES) * %lldu;", elements);
    open_pieces(kernel, "i", elements);
    kernel_line(kernel, "vec drawn;");
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
    kernel_line(kernel,
                "    drawn[lane] = (real)(%.17g + %.17g * %s(s->seed, s->step, %d, first + "
                "(uint64_t)lane * %lldu + (uint64_t)i));",
                from.a, normal ? from.b : from.b - from.a,
                normal ? "net_random_normal" : "net_random", node_salt(node), elements);
    kernel_store(kernel, "y[i]", "i", "drawn");
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    if (kernel->training)
        emit_drawn(kernel);
    else
        emit_source(kernel, mean_value(kernel->node));
    return true;
}

static void emit_image(ImageKernel *image)
{
    image_filled(image, mean_value(image->kernel.node));
}

const Operator operator_noise = {
    .name = "noise",
    .summary = "Random numbers, drawn anew for each training image; begins a chain as `from` does.",
    .shape_rule = "no input -> [shape]",
    .formula = "training: y drawn from the distribution, by seed, step and image\n"
               "evaluation: y = the distribution's mean",
    .reference = "https://pytorch.org/docs/stable/generated/torch.randn.html",
    .args = args,
    .traits = OP_SOURCE | OP_TAKES_EPILOGUE,
    .infer = infer_source_shape,
    .emit = emit,
    .emit_image = emit_image,
    .take_row = take_any_row, /* nothing is drawn there */
};
