/* slice.c: a part of an axis. */
#include "kernels/grain/strided.h"
#include "ops/operator.h"

enum { FROM, TO, AXIS, STEP };

static const ArgSpec args[] = {
    [FROM] = {"from", ARG_INT, .positional = true, .minimum = -LARGEST, .maximum = LARGEST,
              .doc = "The first that is taken, counted from 0; below 0 from the end."},
    [TO] = {"to", ARG_INT, .positional = true, .otherwise = "none", .minimum = -LARGEST,
            .maximum = LARGEST, .doc = "The first that is not; below 0 from the end; none: to it."},
    [AXIS] = {"axis", ARG_INT, .otherwise = "0", .minimum = -MAX_RANK, .maximum = MAX_RANK - 1,
              .doc = "Of which axis; -1 is the last."},
    [STEP] = {"step", ARG_INT, .otherwise = "1", .minimum = 1, .maximum = LARGEST,
              .doc = "Every so manyth is taken."},
    {0}};

/* As it counts from the end where it is below 0. */
static Int end_of(const ArgValue *value, Int size)
{
    return value->integer[0] < 0 ? value->integer[0] + size : value->integer[0];
}

static Int last_of(const Node *node, Int size)
{
    return node->args[TO].given ? end_of(&node->args[TO], size) : size;
}

static bool infer(Node *node)
{
    int axis;
    if (!node_axis(node, AXIS, &axis))
        return false;
    Shape in = input_shape(node);
    Int size = in.dim[axis], from = end_of(&node->args[FROM], size), to = last_of(node, size),
        step = node->args[STEP].integer[0];
    if (from >= 0 && from < to && to <= size) {
        node->out_shape = shape_with(in, axis, (to - from + step - 1) / step);
        return true;
    }
    Diagnostic *d =
        node_error(node, "argument-range", node->args[from < 0 || from >= size ? FROM : TO].span,
                   "slice: %lld to %lld of %s", from, to, shape_text(in));
    if (from >= to)
        diag_caption(d, "nothing lies between");
    else
        diag_caption(d, "axis %d has %lld", axis, size);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    int axis;
    node_axis(node, AXIS, &axis);
    Strided strided = strided_shape(input_shape(node));
    strided.from = end_of(&node->args[FROM], strided.size[axis]) * strided.step[axis];
    strided.size[axis] = node->out->shape.dim[axis];
    strided.step[axis] *= node->args[STEP].integer[0];
    emit_strided(kernel, strided);
    return true;
}

/* Along another axis than that of the steps. */
static bool take_row(Node *row, Int steps)
{
    (void)steps;
    return take_row_of_axis(row, AXIS);
}

const Operator operator_slice = {
    .name = "slice",
    .summary = "A part of an axis: of the channels, where nothing is said.",
    .shape_rule = "[c, h, w] -> [to - from, h, w]; with step every so manyth of them",
    .formula = "y[i, ...] = x[from + i*step, ...]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.narrow.html",
    .args = args,
    .traits = OP_WHOLE,
    .infer = infer,
    .emit = emit,
    .take_row = take_row,
};
