/* embedding.c: a row of a table for each whole number.
 *
 *   x      […] of n
 *   weight [n, embedding_dim]
 *   y      […, embedding_dim]
 */
#include "kernels/grain/matrix.h"
#include "ops/operator.h"

enum { EMBEDDING_DIM, PADDING_IDX, NUM_EMBEDDINGS };

static const ArgSpec args[] = {
    [EMBEDDING_DIM] = {"embedding_dim", ARG_INT, ROLE_CHANNELS, .positional = true, .minimum = 1,
                       .maximum = LARGEST, .doc = "Values of a row."},
    [PADDING_IDX] = {"padding_idx", ARG_INT, .otherwise = "none", .maximum = LARGEST,
                     .doc = "A number whose row begins as zeros and gets no gradient."},
    [NUM_EMBEDDINGS] = {"num_embeddings", ARG_INT, .otherwise = "none", .minimum = 1,
                        .maximum = LARGEST, .doc = "Asserts how many numbers there are."},
    {0}};

static bool holds_numbers(const Node *node)
{
    Diagnostic *d;
    const Tensor *input = node->inputs.items[0];
    const ArgValue *given = &node->args[NUM_EMBEDDINGS], *padding = &node->args[PADDING_IDX];
    if (input->choices == 0) {
        d = node_error(node, "whole-numbers", node->span,
                       "embedding takes whole numbers, and its input %s holds real ones",
                       shape_text(input->shape));
        diag_help(d, "`input %s of 65` says that an input holds whole numbers from 0 to 64",
                  shape_text(input->shape));
        node_derivation(d, input);
    } else if (given->given && given->integer[0] != input->choices) {
        d = node_error(node, "shape-assert", given->span,
                       "embedding has num_embeddings=%lld, but its input is of %lld",
                       given->integer[0], input->choices);
        node_derivation(d, input);
    } else if (padding->given && padding->integer[0] >= input->choices) {
        d = node_error(node, "argument-range", padding->span,
                       "`padding_idx` of embedding must be below %lld, not %lld", input->choices,
                       padding->integer[0]);
        diag_caption(d, "0 to %lld", input->choices - 1);
    } else {
        return true;
    }
    return false;
}

/* PyTorch's default: normal of deviation 1. */
static bool infer(Node *node)
{
    Shape in = input_shape(node);
    Int dim[] = {node->inputs.items[0]->choices, node->args[EMBEDDING_DIM].integer[0]};
    if (!holds_numbers(node))
        return false;
    if (!node->args[PADDING_IDX].given)
        node->args[PADDING_IDX].integer[0] = -1; /* no number is */
    if (in.rank == MAX_RANK) {
        node_error(node, "shape-rank", node->span, "embedding adds an axis, and %s has four",
                   shape_text(in));
        return false;
    }
    node_parameter(node, "weight", PARAMETER_TRAINED, (Init){INIT_NORMAL, 0, 1}, 2, dim, dim[1],
                   dim[0])
        ->padding_row = node->args[PADDING_IDX].integer[0];
    node->out_shape = in;
    node->out_shape.dim[node->out_shape.rank++] = dim[1];
    return true;
}

/* Two numbers' rows are one row of the gradient: each thread sums some rows, over all grains. */
static bool whole_batch(const Node *node)
{
    (void)node;
    return true;
}

/* ------------------------------------------------------------- kernels
 * Lanes read rows of their own: a few values of each are loaded and transposed. */

static Int width_of(const Node *node)
{
    return find_parameter(node, "weight")->dim[1];
}

static void emit_forward(Kernel *kernel)
{
    const Node *node = kernel->node;
    Int width = width_of(node), positions = shape_elements(input_shape(node)),
        whole = width / kernel->lanes * kernel->lanes;
    kernel->units = positions;
    kernel_line(kernel, "for (int64_t grain = s->from; grain < s->to; grain++)");
    kernel_line(kernel, "for (int64_t p = from; p < to; p++) {");
    kernel_line(kernel, "const real *number = (const real *)(x + grain * %lldL + p);",
                kernel->x_stride);
    kernel_line(kernel, "vec *row = y + grain * %lldL + p * %lldL;",
                kernel->kept_elements / kernel->lanes, width);
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        kernel_line(kernel, "vec values[LANES];");
        kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
        kernel_line(kernel,
                    "    values[lane] = *(const unaligned_vec *)(weight + (int64_t)number[lane] * "
                    "%lldL + c);",
                    width);
        kernel_line(kernel, "transpose(row + c, values);");
        kernel_line(kernel, "}");
    }
    if (whole < width) {
        kernel_line(kernel, "for (int c = %lld; c < %lld; c++)", whole, width);
        kernel_line(kernel, "    for (int lane = 0; lane < LANES; lane++)");
        kernel_line(kernel, "        row[c][lane] = weight[(int64_t)number[lane] * %lldL + c];",
                    width);
    }
    kernel_line(kernel, "}");
}

/* The rows from `begin` to `end`: every position of every image that has one of these numbers. */
static void emit_gradient(Kernel *kernel)
{
    const Node *node = kernel->node;
    Int width = width_of(node), positions = shape_elements(input_shape(node)),
        rows = find_parameter(node, "weight")->dim[0];
    const ArgValue *padding = &node->args[PADDING_IDX];
    kernel->units = (rows + UNIT_ROWS - 1) / UNIT_ROWS;
    declare_gradient_rows(kernel, rows);
    if (!adds_gradient(kernel, "dweight")) {
        kernel_line(kernel, "for (int64_t i = begin * %lldL; i < end * %lldL; i++)", width, width);
        kernel_line(kernel, "    dweight[i] = 0;");
    }
    kernel_line(kernel, "for (int64_t grain = 0; grain < s->grains; grain++)");
    kernel_line(kernel, "for (int64_t p = 0; p < %lld; p++)", positions);
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++) {");
    kernel_line(kernel, "const int64_t row = (int64_t)x[grain * %lldL + p][lane];",
                kernel->x_stride);
    kernel_line(kernel, "if (row < begin || row >= end || s->active[grain * LANES + lane] == 0%s)",
                padding->given ? format(" || row == %lld", padding->integer[0]) : "");
    kernel_line(kernel, "    continue;");
    kernel_line(kernel, "const vec *d = dy + grain * %lldL + p * %lldL;", kernel->dy_stride, width);
    kernel_line(kernel, "real *sum = dweight + row * %lldL;", width);
    kernel_line(kernel, "for (int c = 0; c < %lld; c++)", width);
    kernel_line(kernel, "    sum[c] += d[c][lane];");
    kernel_line(kernel, "}");
    move_rows(kernel, "dweight", width);
}

static bool emit(Kernel *kernel)
{
    if (!kernel->node->whole_batch)
        return false; /* of a parameter that other layers have, too: the plain loops */
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel);
    else
        emit_gradient(kernel);
    return true;
}

const Operator operator_embedding = {
    .name = "embedding",
    .summary = "A learned row of values for each whole number.",
    .shape_rule = "[t] of n -> [t, embedding_dim]",
    .formula = "y[i, c] = weight[x[i], c]; weight starts normal of deviation 1,\n"
               "the row of padding_idx as zeros",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Embedding.html",
    .args = args,
    .traits = OP_WHOLE,
    .parameter_gradient_reads = READS_X,
    .infer = infer,
    .whole_batch = whole_batch,
    .emit = emit,
    .take_row = take_any_row,
};
