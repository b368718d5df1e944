/* reduce.c: sums, means and maxima over axes. */
#include "kernels/grain/axes.h"
#include "ops/operator.h"

enum { AXIS, KEEP };

static const ArgSpec args[] = {
    [AXIS] = {"axis", ARG_AXES, ROLE_AXIS, .positional = true, .otherwise = "0",
              .minimum = -MAX_RANK, .maximum = MAX_RANK - 1,
              .doc = "Over which axes: one or a list; -1 is the last."},
    [KEEP] = {"keep", ARG_BOOL, .otherwise = "false",
              .doc = "Whether an axis that was summed over stays, of size 1."},
    {0}};

/* Of which nothing is left is one value. */
static bool infer(Node *node)
{
    unsigned axes;
    if (!node_axes(node, AXIS, &axes))
        return false;
    Shape in = input_shape(node), out = {0, {1, 1, 1, 1}};
    for (int axis = 0; axis < in.rank; axis++)
        if (!(axes >> axis & 1))
            out.dim[out.rank++] = in.dim[axis];
        else if (node->args[KEEP].integer[0])
            out.dim[out.rank++] = 1;
    out.rank = out.rank ? out.rank : 1;
    node->out_shape = out;
    return true;
}

static AxisLoops loops_of(const Node *node)
{
    unsigned axes;
    node_axes(node, AXIS, &axes);
    return axis_loops(input_shape(node), axes);
}

/* How many values become one. */
static Int reduced_values(const AxisLoops *loops)
{
    Int values = 1;
    for (int k = 0; k < loops->count; k++)
        values *= loops->reduced[k] ? loops->size[k] : 1;
    return values;
}

/* ------------------------------------------------------- sums and means */

static void emit_total(Kernel *kernel, const char *scale)
{
    const AxisLoops loops = loops_of(kernel->node);
    int kept = open_kept_loops(kernel, &loops);
    kernel_line(kernel, "vec total = { 0 };");
    int reduced = open_reduced_loops(kernel, &loops);
    kernel_line(kernel, "total += x[%s];", whole_index(&loops));
    close_loops(kernel, reduced);
    kernel_line(kernel, "y[%s] = total%s;", kept_index(&loops), scale);
    close_loops(kernel, kept);
}

/* Everything that became one value has its gradient. */
static void emit_shared_gradient(Kernel *kernel, const char *gradient)
{
    const AxisLoops loops = loops_of(kernel->node);
    int kept = open_kept_loops(kernel, &loops);
    kernel_line(kernel, "const vec d = %s;", gradient);
    int reduced = open_reduced_loops(kernel, &loops);
    kernel_line(kernel, "dx[%s] %s d;", whole_index(&loops), kernel->node->accumulate ? "+=" : "=");
    close_loops(kernel, reduced);
    close_loops(kernel, kept);
}

static bool emit_scaled(Kernel *kernel, const char *scale)
{
    const AxisLoops loops = loops_of(kernel->node);
    if (kernel->stage == STAGE_FORWARD)
        emit_total(kernel, scale);
    else
        emit_shared_gradient(kernel, format("dy[%s]%s", kept_index(&loops), scale));
    return true;
}

static bool emit_sum(Kernel *kernel)
{
    return emit_scaled(kernel, "");
}

static bool emit_mean(Kernel *kernel)
{
    const AxisLoops loops = loops_of(kernel->node);
    return emit_scaled(kernel, format(" * (real)%.17g", 1 / (double)reduced_values(&loops)));
}

/* --------------------------------------------------------------- maxima */

/* Opens the loops in which `best`, and with `which` its number, is found; a NaN is the largest. */
static void emit_best(Kernel *kernel, const AxisLoops *loops, bool which)
{
    kernel_line(kernel, "vec best = splat(-(real)__builtin_inf());");
    if (which)
        kernel_line(kernel, "vec which = { 0 }, number = { 0 };");
    int reduced = open_reduced_loops(kernel, loops);
    kernel_line(kernel, "const vec v = x[%s];", whole_index(loops));
    kernel_line(kernel, "const mask takes = (v > best) | ((v != v) & (best == best));");
    kernel_line(kernel, "best = vec_select(takes, v, best);");
    if (which) {
        kernel_line(kernel, "which = vec_select(takes, number, which);");
        kernel_line(kernel, "number += (real)1;");
    }
    close_loops(kernel, reduced);
}

/* Of equal largest values each has its share of the gradient, as torch.amax has it. */
static void emit_max_gradient(Kernel *kernel)
{
    const AxisLoops loops = loops_of(kernel->node);
    const char *at = whole_index(&loops),
               *is_largest = format("x[%s] == y[%s]", at, kept_index(&loops));
    int kept = open_kept_loops(kernel, &loops);
    kernel_line(kernel, "vec ties = { 0 };");
    int reduced = open_reduced_loops(kernel, &loops);
    kernel_line(kernel, "ties += vec_select(%s, splat(1), splat(0));", is_largest);
    close_loops(kernel, reduced);
    kernel_line(kernel, "const vec d = dy[%s] / ties;", kept_index(&loops));
    reduced = open_reduced_loops(kernel, &loops);
    kernel_line(kernel, "dx[%s] %s vec_select(%s, d, splat(0));", at,
                kernel->node->accumulate ? "+=" : "=", is_largest);
    close_loops(kernel, reduced);
    close_loops(kernel, kept);
}

static bool emit_max(Kernel *kernel)
{
    const AxisLoops loops = loops_of(kernel->node);
    if (kernel->stage != STAGE_FORWARD) {
        emit_max_gradient(kernel);
        return true;
    }
    int kept = open_kept_loops(kernel, &loops);
    emit_best(kernel, &loops, false);
    kernel_line(kernel, "y[%s] = best;", kept_index(&loops));
    close_loops(kernel, kept);
    return true;
}

/* A number of a position has no gradient. */
static bool emit_argmax(Kernel *kernel)
{
    const AxisLoops loops = loops_of(kernel->node);
    if (kernel->stage != STAGE_FORWARD) {
        if (!kernel->node->accumulate)
            emit_shared_gradient(kernel, "{ 0 }");
        return true;
    }
    int kept = open_kept_loops(kernel, &loops);
    emit_best(kernel, &loops, true);
    kernel_line(kernel, "y[%s] = which;", kept_index(&loops));
    close_loops(kernel, kept);
    return true;
}

/* Over other axes than that of the steps. */
static bool take_row(Node *row, Int steps)
{
    unsigned axes;
    ArgValue *value = &row->args[AXIS];
    (void)steps;
    if (!node_axes(row->sequence, AXIS, &axes) || axes & 1)
        return false;
    for (int k = 0; k < value->count; k++)
        value->integer[k] -= value->integer[k] < 0 ? 0 : 1;
    return true;
}

#define REDUCES(name_, reads_, summary_, formula_, torch)                              \
    const Operator operator_##name_ = {                                                \
        .name = #name_,                                                                \
        .summary = summary_,                                                           \
        .shape_rule = "[c, h, w] -> [h, w]; with keep=true -> [1, h, w]\n"             \
                      "axis=[1, 2]: [c, h, w] -> [c]; all axes: -> [1]",               \
        .formula = formula_,                                                           \
        .reference = "https://pytorch.org/docs/stable/generated/torch." torch ".html", \
        .args = args,                                                                  \
        .input_gradient_reads = reads_,                                                \
        .infer = infer,                                                                \
        .emit = emit_##name_,                                                          \
        .take_row = take_row,                                                          \
    };

REDUCES(mean, 0, "Means over axes.", "y = sum of x over the axes / how many there are", "mean")
REDUCES(sum, 0, "Sums over axes.", "y = sum of x over the axes", "sum")
REDUCES(max, READS_X | READS_Y, "The largest values over axes.",
        "y = the largest x over the axes\n"
        "of equal largest ones each has its share of the gradient",
        "amax")
REDUCES(argmax, 0, "Where the largest values over axes are.",
        "y = the number of the largest x, counted through the axes from 0; of equals the first\n"
        "it has no gradient",
        "argmax")
