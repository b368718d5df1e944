/* spread.c: see spread.h.  A [c, 1, 1] with a [c, h, w] is squeeze-and-excitation's (Hu et al.
 * 2017, https://arxiv.org/abs/1709.01507); [c, 1] with [1, t] is every pair of the two.
 */
#include "ops/spread.h"

#include "kernels/grain/axes.h"

/* ------------------------------------------------------------- shapes */

static bool fit(Shape a, Shape b)
{
    for (int axis = 0; axis < a.rank; axis++)
        if (a.dim[axis] != b.dim[axis] && a.dim[axis] != 1 && b.dim[axis] != 1)
            return false;
    return a.rank == b.rank;
}

/* The shape that the others are told to match: the first that is not [c, 1, 1]. */
static int widest_input(const Node *node)
{
    for (int i = 0; i < node->inputs.count; i++) {
        Shape shape = node->inputs.items[i]->shape;
        if (shape.rank != 3 || shape_plane(shape) != 1)
            return i;
    }
    return 0;
}

/* The first pair that does not fit, that with the widest before others; false: all do. */
static bool find_misfit(const Node *node, int *a, int *b)
{
    int widest = widest_input(node), count = node->inputs.count;
    for (int k = -1; k < count; k++)
        for (int i = 0; i < count; i++) {
            *a = k < 0 ? widest : k;
            *b = i;
            if (!fit(node->inputs.items[*a]->shape, node->inputs.items[i]->shape))
                return true;
        }
    return false;
}

bool infer_spread_by(Node *node, const char *code, const char *rule)
{
    int a, b;
    if (find_misfit(node, &a, &b)) {
        Shape first = node->inputs.items[a]->shape, second = node->inputs.items[b]->shape;
        Diagnostic *d =
            node_error(node, code, node->span, "%s needs %s: %s is %s, %s is %s", node->op->name,
                       rule, branch_name(a), shape_text(first), branch_name(b), shape_text(second));
        label_branches(d, node);
        diag_sizes(d, second, first);
        return false;
    }
    node->out_shape = input_shape(node);
    for (int i = 1; i < node->inputs.count; i++)
        for (int axis = 0; axis < node->out_shape.rank; axis++)
            if (node->inputs.items[i]->shape.dim[axis] != 1)
                node->out_shape.dim[axis] = node->inputs.items[i]->shape.dim[axis];
    return true;
}

bool infer_spread(Node *node, const char *code)
{
    return infer_spread_by(node, code, "equal shapes, or [c, 1, 1] with [c, h, w]");
}

bool is_spread(const Node *node, int input)
{
    return !shape_equal(node->inputs.items[input]->shape, node->out->shape);
}

/* ---------------------------------------------------------- the loops */

/* Over the output's axes; neighbours that every input has, or repeats, are one. */
typedef struct Loops {
    int count;
    Int size[MAX_RANK];
    int axis[MAX_RANK]; /* one of those that each stands for */
} Loops;

static bool repeats_along(const Node *node, int input, int axis)
{
    return node->inputs.items[input]->shape.dim[axis] != node->out->shape.dim[axis];
}

static bool same_along(const Node *node, int a, int b)
{
    for (int i = 0; i < node->inputs.count; i++)
        if (repeats_along(node, i, a) != repeats_along(node, i, b))
            return false;
    return true;
}

static Loops loops_of(const Node *node)
{
    Loops loops = {0};
    Shape shape = node->out->shape;
    for (int axis = 0; axis < shape.rank; axis++) {
        int last = loops.count - 1;
        if (shape.dim[axis] == 1)
            continue;
        if (last >= 0 && same_along(node, loops.axis[last], axis)) {
            loops.size[last] *= shape.dim[axis];
        } else {
            loops.size[loops.count] = shape.dim[axis];
            loops.axis[loops.count++] = axis;
        }
    }
    return loops;
}

/* Of input `input`; -1: of the output. */
static const char *index_text(const Node *node, int input)
{
    const Loops loops = loops_of(node);
    Text text = {0};
    for (int k = 0; k < loops.count; k++) {
        Int step = 1;
        if (input >= 0 && repeats_along(node, input, loops.axis[k]))
            continue;
        for (int behind = k + 1; behind < loops.count; behind++)
            if (input < 0 || !repeats_along(node, input, loops.axis[behind]))
                step *= loops.size[behind];
        text_add(&text, "%si%d", text.length ? " + " : "", k);
        if (step > 1)
            text_add(&text, " * %lldL", step);
    }
    return text.length ? text_chars(&text) : "0";
}

const char *spread_index(const Node *node, int input)
{
    return index_text(node, input);
}

const char *spread_output_index(const Node *node)
{
    return index_text(node, -1);
}

const char *spread_element(const Node *node, int input)
{
    return format("x%d[%s]", input, index_text(node, input));
}

const char *spread_dy(const Node *node)
{
    return format("dy[%s]", index_text(node, -1));
}

int open_spread_loops(Kernel *kernel, int input, bool repeated, bool pieces)
{
    const Loops loops = loops_of(kernel->node);
    int opened = 0;
    for (int k = 0; k < loops.count; k++) {
        if (input >= 0 && repeats_along(kernel->node, input, loops.axis[k]) != repeated)
            continue;
        if (pieces && !opened)
            open_pieces(kernel, format("i%d", k), loops.size[k]);
        else
            kernel_line(kernel, "for (int i%d = 0; i%d < %lld; i%d++) {", k, k, loops.size[k], k);
        opened++;
    }
    return opened;
}

void emit_spread(Kernel *kernel, const char *value)
{
    const Node *node = kernel->node;
    bool forward = kernel->stage == STAGE_FORWARD;
    const char *set = !forward && node->accumulate ? "+=" : "=";
    if (forward || !is_spread(node, node->which)) {
        int loops = open_spread_loops(kernel, -1, false, true);
        kernel_line(kernel, "%s[%s] %s %s;", forward ? "y" : "dx", spread_output_index(node), set,
                    value);
        close_loops(kernel, loops);
        return;
    }
    int own = open_spread_loops(kernel, node->which, false, true);
    kernel_line(kernel, "vec sum = { 0 };");
    int summed = open_spread_loops(kernel, node->which, true, false);
    kernel_line(kernel, "sum += %s;", value);
    close_loops(kernel, summed);
    kernel_line(kernel, "dx[%s] %s sum;", spread_index(node, node->which), set);
    close_loops(kernel, own);
}

/* ------------------------------------------------------- of one image */

bool spreads_channels(const Node *node)
{
    Shape out = node->out_shape;
    for (int i = 0; i < node->inputs.count; i++) {
        Shape shape = node->inputs.items[i]->shape;
        bool channels = shape.dim[0] == out.dim[0] && shape_plane(shape) == 1;
        if (!channels && !shape_equal(shape, out))
            return false;
    }
    return true;
}

const char *image_spread_element(const ImageKernel *image, int input, const char *channel)
{
    Int stride = is_spread(image->kernel.node, input) ? 0 : image->x_strides.items[input];
    return format("*(const unaligned_vec *)(x%d + p * %lldL + %s)", input, stride, channel);
}

void emit_image_spread(ImageKernel *image,
                       const char *(*value)(const ImageKernel *image, const char *channel))
{
    Kernel *kernel = &image->kernel;
    Shape shape = kernel->node->out->shape;
    Int channels = shape.dim[0], whole = channels / kernel->lanes * kernel->lanes;
    open_pieces(kernel, "p", shape_plane(shape));
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        image_store(image, "p", "c", kernel->lanes, value(image, "c"));
        kernel_line(kernel, "}");
    }
    const char *last = format("%lld", whole);
    if (whole < channels)
        image_store(image, "p", last, channels - whole, value(image, last));
    kernel_line(kernel, "}");
}
