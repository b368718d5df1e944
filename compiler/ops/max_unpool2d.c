/* max_unpool2d.c: values put back where a max pool found the largest; all else is 0.
 *
 * The pool is named as a tensor: max_unpool2d(pool1).  Its node reads what the pool was given, and
 * finds again which position of each window won, so that nobody has to keep the pool's notes, and
 * inference, which makes none, needs no others.  What the pool was given has no gradient by it.
 */
#include "ops/operator.h"

#include <string.h>

/* The window is the pool's.  Who writes it too, as PyTorch's layer has it, has to agree. */
enum { KERNEL_SIZE, STRIDE, PADDING, DILATION, OUTPUT_SIZE };

static const ArgSpec args[] = {
    [KERNEL_SIZE] = {"kernel_size", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                     .doc = "Size of the window: the pool's."},
    [STRIDE] = {"stride", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                .doc = "Step of the window: the pool's."},
    [PADDING] = {"padding", ARG_PAIR, .otherwise = "none", .maximum = LARGEST,
                 .doc = "Rows and columns of padding: the pool's."},
    [DILATION] = {"dilation", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                  .doc = "Distance between the window's taps: the pool's."},
    [OUTPUT_SIZE] = {"output_size", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                     .doc = "Rows and columns of the output; absent: the least that the windows "
                            "cover."},
    {0}};

/* The max pool that made the second tensor; NULL: reported. */
static const Node *pool_of(const Node *node)
{
    const Tensor *named = node->inputs.items[1];
    const Node *pool = named->producer;
    if (node->inputs.count == 2 && pool && strcmp(pool->op->name, "max_pool2d") == 0)
        return pool;
    bool many = node->inputs.count > 2;
    Diagnostic *d = many ? node_error(node, "argument-type", node->span,
                                      "max_unpool2d takes one max_pool2d, not %d tensors",
                                      node->inputs.count - 1)
                         : node_error(node, "argument-type", node->span,
                                      "max_unpool2d takes the tensor of a max_pool2d, not of %s",
                                      pool ? pool->op->name : "an input");
    if (!many && pool)
        label_step(d, node, named, format("%s", pool->op->name));
    diag_help(d, "name the pool, `max_pool2d(2) as pool1`, and then it: max_unpool2d(pool1)");
    return NULL;
}

/* Takes over one of the pool's numbers for each axis. */
static bool take_over(const Node *node, const Node *pool, int arg)
{
    ArgValue *own = &node->args[arg];
    const ArgValue *its = &pool->args[operator_arg(pool->op, args[arg].name)];
    bool same = own->integer[0] == its->integer[0] && own->integer[1] == its->integer[1];
    if (own->given && !same) {
        Diagnostic *d = node_error(
            node, "argument-range", own->span,
            "max_unpool2d has %s=[%lld, %lld], but the pool has [%lld, %lld]", args[arg].name,
            own->integer[0], own->integer[1], its->integer[0], its->integer[1]);
        diag_label(d, pool->span, "the pool");
        diag_help(d, "leave %s out: it is the pool's; output_size sets another size",
                  args[arg].name);
        return false;
    }
    own->integer[0] = its->integer[0];
    own->integer[1] = its->integer[1];
    return true;
}

static bool has_the_pools_shape(const Node *node, const Node *pool)
{
    if (shape_equal(input_shape(node), pool->out->shape))
        return true;
    Diagnostic *d = node_error(node, "shape-mismatch", node->span,
                               "max_unpool2d needs the pool's shape %s, but its input is %s",
                               shape_text(pool->out->shape), shape_text(input_shape(node)));
    diag_caption(d, "a value for each window of the pool");
    diag_label(d, pool->span, "the pool gives %s", shape_text(pool->out->shape));
    node_derivation(d, node->inputs.items[0]);
    diag_sizes(d, input_shape(node), pool->out->shape);
    return false;
}

/* Positions are counted through the pool's rows, as PyTorch's indices are, so the output
 * has to hold the last of them. */
static bool holds_all_positions(const Node *node, Shape pooled)
{
    Shape out = node->out_shape;
    if (out.dim[1] >= 1 && out.dim[2] >= 1 && shape_plane(out) >= shape_plane(pooled))
        return true;
    const ArgValue *size = &node->args[OUTPUT_SIZE];
    Diagnostic *d = node_error(node, "argument-range", size->given ? size->span : node->span,
                               "max_unpool2d gives %lld by %lld, but the pool had %lld by %lld",
                               out.dim[1], out.dim[2], pooled.dim[1], pooled.dim[2]);
    diag_caption(d, "a value from the end would have no place");
    diag_help(d, "output_size=[%lld, %lld] is what the pool was given", pooled.dim[1],
              pooled.dim[2]);
    return false;
}

static bool infer(Node *node)
{
    const Node *pool = node->inputs.count > 1 ? pool_of(node) : NULL;
    if (!pool || !has_the_pools_shape(node, pool))
        return false;
    for (int arg = KERNEL_SIZE; arg <= DILATION; arg++)
        if (!take_over(node, pool, arg))
            return false;
    node->out_shape = input_shape(node);
    for (int axis = 0; axis < 2; axis++)
        node->out_shape.dim[1 + axis] =
            node->args[OUTPUT_SIZE].given
                ? node->args[OUTPUT_SIZE].integer[axis]
                : (input_shape(node).dim[1 + axis] - 1) * node->args[STRIDE].integer[axis]
                      - 2 * node->args[PADDING].integer[axis]
                      + node->args[KERNEL_SIZE].integer[axis];
    node->inputs.items[1] = pool->inputs.items[0];
    return holds_all_positions(node, input_shape(pool));
}

const Operator operator_max_unpool2d = {
    .name = "max_unpool2d",
    .summary = "Puts each value where a named max pool found the largest of its window; else 0.",
    .shape_rule = "[c, rows, columns] -> [c, h, w], of the pool's output to output_size, or\n"
                  "h = (rows - 1)*stride - 2*padding + kernel_size; w likewise",
    .formula = "y[c, k] = x[c, i] where k is the position, counted through the rows, of the\n"
               "          largest of the pool's window i; 0 where there is none\n"
               "of several that go to one position the last one counts",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html",
    .args = args,
    .traits = OP_JOINS,
    .ranks = RANK(3),
    .input_gradient_reads = READS_X,
    .infer = infer,
};
