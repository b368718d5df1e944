/* recurrence.c: the states of a recurrent layer, step by step, of one or both directions.
 *
 *   x, x0, x1    [steps, gates * hidden]: weight_ih x + bias_ih of every step, by direction
 *   weight_hh    [gates * hidden, state]    bias_hh [gates * hidden]
 *   weight_hr    [state, hidden], of a projection; without one a state has `hidden` values
 *   y            [steps, directions * state]
 *   aux          [directions, steps, gates | further | shown | dstate]: see Sizes
 *
 * The gates are i, f, g, o of an lstm, r, z, n of a gru, in PyTorch's order.  A thread takes some
 * grains through all steps, several together, so that a weight which was loaded serves all of them.
 * On the way back the gradients of the sums are put where the gates were, since weight_hh's
 * gradient is made of them afterwards, of all steps at once.
 */
#include "ops/recurrence.h"
#include "kernels/grain/matrix.h"
#include "kernels/grain/strided.h"

#include <string.h>

const char *const cell_words[] = {"tanh", "relu", "gru", "lstm", NULL};

int cell_gates(CellKind kind)
{
    switch (kind) {
    case CELL_TANH:
    case CELL_RELU:
        return 1;
    case CELL_GRU:
        return 3;
    case CELL_LSTM:
        return 4;
    }
    unreachable();
}

/* clang-format off */
#define ARGUMENTS \
    [RECURRENCE_CELL] = {"cell", ARG_WORD, .words = cell_words, .doc = "What makes a state."}, \
    [RECURRENCE_HIDDEN] = {"hidden_size", ARG_INT, .doc = "Values of a cell."}, \
    [RECURRENCE_BIAS] = {"bias", ARG_BOOL, .doc = "Whether there is a bias_hh."}, \
    [RECURRENCE_PROJECTION] = {"proj_size", ARG_INT, .doc = "Values of a state; 0: hidden_size."}
/* clang-format on */

static const ArgSpec args[] = {ARGUMENTS, {0}};
static const ArgSpec args_from[] = {
    ARGUMENTS,
    [RECURRENCE_STATES] = {"h0", ARG_BOOL, .doc = "Whether it has a state to begin with."},
    [RECURRENCE_CELLS] = {"c0", ARG_BOOL, .doc = "Whether it has cells to begin with."},
    [RECURRENCE_FIRST_ROW] = {"first_row", ARG_INT, .doc = "Of these, its first direction's."},
    {0}};

/* In vectors; of what is noted of a step, where it begins. */
typedef struct Sizes {
    CellKind kind;
    Int steps, hidden, state, sums, directions;
    Int further; /* an lstm's cells; of a gru's n what its r is multiplied with */
    Int shown;   /* of a projection: o * tanh(c), and the gradient of what is made of it */
    Int dstate;
    Int noted; /* all of it */
    bool bias, projects;
} Sizes;

static Sizes sizes_from(CellKind kind, Int hidden, Int projection)
{
    Sizes sizes = {.kind = kind, .hidden = hidden, .state = projection ? projection : hidden};
    bool has_further = kind == CELL_GRU || kind == CELL_LSTM;
    sizes.projects = projection > 0;
    sizes.sums = sizes.further = cell_gates(kind) * hidden;
    sizes.shown = sizes.further + (has_further ? hidden : 0);
    sizes.dstate = sizes.shown + (sizes.projects ? hidden : 0);
    sizes.noted = sizes.dstate + projection;
    return sizes;
}

Shape recurrence_aux_shape(CellKind kind, Int directions, Int steps, Int hidden, Int projection)
{
    Int dim[] = {directions, steps, sizes_from(kind, hidden, projection).noted};
    return shape_from(3, dim);
}

static CellKind kind_of(const Node *node)
{
    int kind = 0;
    while (strcmp(cell_words[kind], node->args[RECURRENCE_CELL].word) != 0)
        kind++;
    return (CellKind)kind;
}

static Sizes sizes_of(const Node *node)
{
    Sizes sizes = sizes_from(kind_of(node), node->args[RECURRENCE_HIDDEN].integer[0],
                             node->args[RECURRENCE_PROJECTION].integer[0]);
    sizes.steps = input_shape(node).dim[0];
    sizes.directions = node->inputs.count;
    if (node->op == &operator_recurrence_from)
        sizes.directions -=
            node->args[RECURRENCE_STATES].integer[0] + node->args[RECURRENCE_CELLS].integer[0];
    sizes.bias = node->args[RECURRENCE_BIAS].integer[0];
    return sizes;
}

static Int multiply_adds(const Node *node)
{
    const Sizes sizes = sizes_of(node);
    Int products = sizes.sums * sizes.state + (sizes.projects ? sizes.state * sizes.hidden : 0);
    Int factors[] = {sizes.directions, sizes.steps, products};
    return saturating_product(3, factors);
}

/* ---------------------------------------------------------------- texts */

enum { GRAIN_UNITS = 1 << 16 }; /* grains are shared out by parts of their number */

static const char *of_direction(const char *name, Int direction)
{
    return format("%s%s", name, direction ? "_reverse" : "");
}

static Int kept_stride(const Kernel *kernel)
{
    return kernel->kept_elements / kernel->lanes;
}

/* Of direction d: where `row`, an expression, begins in grain 0's y or dy … */
static const char *state_at(const Sizes *sizes, const char *tensor, Int d, const char *row)
{
    return format("%s + %s * %lldL + %lldL", tensor, row, sizes->directions * sizes->state,
                  d * sizes->state);
}

/* … and in its aux. */
static const char *noted_at(const Sizes *sizes, Int d, const char *row, Int part)
{
    return format("aux + (%lldL + %s) * %lldL + %lldL", d * sizes->steps, row, sizes->noted, part);
}

/* "i" of gate 0: a value of it at u. */
static const char *gate(const Sizes *sizes, const char *pointer, int number)
{
    return number ? format("%s[u + %lldL]", pointer, number * sizes->hidden)
                  : format("%s[u]", pointer);
}

/* The loop over a thread's grains, as many together as `group` says. */
static void open_grains(Kernel *kernel)
{
    kernel->units = GRAIN_UNITS;
    kernel_line(kernel, "{");
    kernel_line(kernel, "const int64_t grains = s->to - s->from;");
    kernel_line(kernel, "const int64_t end_grain = s->from + to * grains / %d;", GRAIN_UNITS);
    kernel_line(kernel,
                "for (int64_t grain = s->from + from * grains / %d, group; grain < end_grain; "
                "grain += group) {",
                GRAIN_UNITS);
    kernel_line(kernel, "group = end_grain - grain >= %d ? %d : end_grain - grain >= 2 ? 2 : 1;",
                MAX_GROUP, MAX_GROUP);
}

static void close_grains(Kernel *kernel)
{
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* What `of` has of value u at the step before: nothing at the first. */
static void declare_before(Kernel *kernel, const char *name, const char *of)
{
    kernel_line(kernel, "vec %s = splat(0);", name);
    kernel_line(kernel, "if (step)");
    kernel_line(kernel, "    %s = %s;", name, of);
}

/* `row`, and if something reads it `before`, the one that the direction went through before that,
 * in the order of `step`. */
static void declare_rows(Kernel *kernel, const Sizes *sizes, Int d, bool reads_before)
{
    const char *before = d ? ", before = row + 1" : ", before = row - 1";
    const char *row = d ? format("%lld - step", sizes->steps - 1) : "step";
    kernel_line(kernel, "const int64_t row = %s%s;", row, reads_before ? before : "");
}

static void zero(Kernel *kernel, const char *pointer, Int each)
{
    kernel_line(kernel, "for (int64_t i = 0; i < group * %lldL; i++)", each);
    kernel_line(kernel, "    %s[i] = splat(0);", pointer);
}

/* --------------------------------------------------------------- forward */

/* Of one gate the two halves of its sum: of the input and of the state before. */
static const char *input_half(const Sizes *sizes, int number)
{
    return gate(sizes, "in", number);
}

static const char *state_half(const Sizes *sizes, Int d, int number)
{
    const char *sum = gate(sizes, "sums", number);
    return sizes->bias
               ? format("%s + splat(%s)", sum, gate(sizes, of_direction("bias_hh", d), number))
               : sum;
}

static void declare_gate(Kernel *kernel, const Sizes *sizes, Int d, const char *name, int number,
                         const char *function)
{
    kernel_line(kernel, "const vec %s = %s(%s + %s);", name, function, input_half(sizes, number),
                state_half(sizes, d, number));
}

static void note(Kernel *kernel, const Sizes *sizes, const char *const *names)
{
    for (int k = 0; kernel->training && names[k]; k++)
        kernel_line(kernel, "%s = %s;", gate(sizes, "noted", k), names[k]);
}

static void lstm_forward(Kernel *kernel, const Sizes *sizes, Int d)
{
    static const char *const names[] = {"i", "f", "g", "o", "c", NULL};
    for (int k = 0; k < 4; k++)
        declare_gate(kernel, sizes, d, names[k], k, k == 2 ? "vec_tanh" : "vec_sigmoid");
    kernel_line(kernel, "const vec c = f * cell[u] + i * g;");
    kernel_line(kernel, "const vec h = o * vec_tanh(c);");
    kernel_line(kernel, "cell[u] = c;");
    note(kernel, sizes, names);
}

static void gru_forward(Kernel *kernel, const Sizes *sizes, Int d)
{
    static const char *const names[] = {"r", "z", "n", "further", NULL};
    declare_gate(kernel, sizes, d, "r", 0, "vec_sigmoid");
    declare_gate(kernel, sizes, d, "z", 1, "vec_sigmoid");
    kernel_line(kernel, "const vec further = %s;", state_half(sizes, d, 2));
    kernel_line(kernel, "const vec n = vec_tanh(%s + r * further);", input_half(sizes, 2));
    declare_before(kernel, "h_before", "last[u]");
    kernel_line(kernel, "const vec h = n + z * (h_before - n);");
    note(kernel, sizes, names);
}

static void elman_forward(Kernel *kernel, const Sizes *sizes, Int d)
{
    static const char *const names[] = {"h", NULL};
    if (sizes->kind == CELL_TANH) {
        declare_gate(kernel, sizes, d, "h", 0, "vec_tanh");
    } else {
        declare_gate(kernel, sizes, d, "a", 0, "");
        kernel_line(kernel, "const vec h = vec_select(a > splat(0), a, splat(0));");
    }
    note(kernel, sizes, names);
}

/* A step's gates and states, of each grain; `sums` of all are there. */
static void emit_states(Kernel *kernel, const Sizes *sizes, Int d)
{
    const char *x = sizes->directions == 1 ? "x" : format("x%lld", d);
    Int kept = kept_stride(kernel);
    kernel_line(kernel, "for (int64_t q = 0; q < group; q++) {");
    kernel_line(kernel, "const vec *const sums = gates + q * %lldL;", sizes->sums);
    kernel_line(kernel, "const vec *const in = %s + (grain + q) * %lldL + row * %lldL;", x,
                kernel->x_stride, sizes->sums);
    if (sizes->projects)
        kernel_line(kernel, "vec *const out = shown + q * %lldL;", sizes->hidden);
    else
        kernel_line(kernel, "vec *const out = %s + (grain + q) * %lldL;",
                    state_at(sizes, "y", d, "row"), kept);
    if (sizes->kind == CELL_LSTM)
        kernel_line(kernel, "vec *const cell = cells + q * %lldL;", sizes->hidden);
    if (sizes->kind == CELL_GRU)
        kernel_line(kernel, "const vec *const last = %s + (grain + q) * %lldL;",
                    state_at(sizes, "y", d, "(step ? before : row)"), kept);
    if (kernel->training)
        kernel_line(kernel, "vec *const noted = %s + (grain + q) * %lldL;",
                    noted_at(sizes, d, "row", 0), kept);
    kernel_line(kernel, "for (int u = 0; u < %lld; u++) {", sizes->hidden);
    (sizes->kind == CELL_LSTM  ? lstm_forward
     : sizes->kind == CELL_GRU ? gru_forward
                               : elman_forward)(kernel, sizes, d);
    kernel_line(kernel, "out[u] = h;");
    if (kernel->training && sizes->projects)
        kernel_line(kernel, "noted[u + %lldL] = h;", sizes->shown);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static void emit_forward(Kernel *kernel, const Sizes *sizes, Int d)
{
    Int kept = kept_stride(kernel);
    open_grains(kernel);
    kernel_line(kernel, "vec *const gates = workspace;");
    if (sizes->kind == CELL_LSTM)
        kernel_line(kernel, "vec *const cells = workspace + %lldL;", MAX_GROUP * sizes->sums);
    if (sizes->projects)
        kernel_line(kernel, "vec *const shown = workspace + %lldL;",
                    MAX_GROUP * (sizes->sums + sizes->hidden));
    kernel_line(kernel, "for (int64_t step = 0; step < %lld; step++) {", sizes->steps);
    declare_rows(kernel, sizes, d, true);
    kernel_line(kernel, "if (step) {");
    emit_vector_product(kernel,
                        (VectorProduct){.in = sizes->state,
                                        .out = sizes->sums,
                                        .weight = of_direction("weight_hh", d),
                                        .result = "gates",
                                        .source = format("%s + grain * %lldL",
                                                         state_at(sizes, "y", d, "before"), kept),
                                        .result_stride = sizes->sums,
                                        .source_stride = kept});
    kernel_line(kernel, "} else {");
    zero(kernel, "gates", sizes->sums);
    if (sizes->kind == CELL_LSTM)
        zero(kernel, "cells", sizes->hidden);
    kernel_line(kernel, "}");
    emit_states(kernel, sizes, d);
    if (sizes->projects)
        emit_vector_product(kernel,
                            (VectorProduct){.in = sizes->hidden,
                                            .out = sizes->state,
                                            .weight = of_direction("weight_hr", d),
                                            .result = format("%s + grain * %lldL",
                                                             state_at(sizes, "y", d, "row"), kept),
                                            .source = "shown",
                                            .result_stride = kept,
                                            .source_stride = sizes->hidden});
    kernel_line(kernel, "}");
    close_grains(kernel);
}

/* -------------------------------------------------------------- backward */

/* The gradient of a gate's sum goes to dx, and of its half of the state to where the gate was. */
static void give(Kernel *kernel, const Sizes *sizes, int number, const char *gradient,
                 const char *of_state)
{
    kernel_line(kernel, "%s = %s;", gate(sizes, "din", number), gradient);
    kernel_line(kernel, "%s = %s;", gate(sizes, "noted", number), of_state);
}

static void lstm_backward(Kernel *kernel, const Sizes *sizes)
{
    static const char *const names[] = {"i", "f", "g", "o", "c"};
    for (int k = 0; k < 5; k++)
        kernel_line(kernel, "const vec %s = %s;", names[k], gate(sizes, "noted", k));
    kernel_line(kernel, "const vec tanh_c = vec_tanh(c);");
    kernel_line(kernel, "const vec dc = dcell[u] + dh * o * (1 - tanh_c * tanh_c);");
    kernel_line(kernel, "const vec di = dc * g * i * (1 - i), dg = dc * i * (1 - g * g);");
    declare_before(kernel, "c_before", gate(sizes, "noted_before", 4));
    kernel_line(kernel, "const vec df = dc * c_before * f * (1 - f);");
    kernel_line(kernel, "const vec do_ = dh * tanh_c * o * (1 - o);");
    kernel_line(kernel, "dcell[u] = dc * f;");
    give(kernel, sizes, 0, "di", "di");
    give(kernel, sizes, 1, "df", "df");
    give(kernel, sizes, 2, "dg", "dg");
    give(kernel, sizes, 3, "do_", "do_");
}

static void gru_backward(Kernel *kernel, const Sizes *sizes)
{
    static const char *const names[] = {"r", "z", "n", "further"};
    for (int k = 0; k < 4; k++)
        kernel_line(kernel, "const vec %s = %s;", names[k], gate(sizes, "noted", k));
    kernel_line(kernel, "const vec dn = dh * (1 - z) * (1 - n * n);");
    declare_before(kernel, "h_before", "last[u]");
    kernel_line(kernel, "const vec dz = dh * (h_before - n) * z * (1 - z);");
    kernel_line(kernel, "const vec dr = dn * further * r * (1 - r);");
    kernel_line(kernel, "carry[u] = dh * z;");
    give(kernel, sizes, 0, "dr", "dr");
    give(kernel, sizes, 1, "dz", "dz");
    give(kernel, sizes, 2, "dn", "dn * r");
}

static void elman_backward(Kernel *kernel, const Sizes *sizes)
{
    kernel_line(kernel, "const vec h = noted[u];");
    kernel_line(kernel, sizes->kind == CELL_TANH
                            ? "const vec da = dh * (1 - h * h);"
                            : "const vec da = vec_select(h > splat(0), dh, splat(0));");
    give(kernel, sizes, 0, "da", "da");
}

/* Where each part of the workspace begins, for all grains of a group. */
static Int carry_place(void)
{
    return 0;
}

static Int dcell_place(const Sizes *sizes)
{
    return MAX_GROUP * sizes->state;
}

static Int dshown_place(const Sizes *sizes)
{
    return dcell_place(sizes) + MAX_GROUP * (sizes->kind == CELL_LSTM ? sizes->hidden : 0);
}

static void open_step_of_grain(Kernel *kernel, const Sizes *sizes, Int d)
{
    kernel_line(kernel, "for (int64_t q = 0; q < group; q++) {");
    kernel_line(kernel, "vec *const noted = %s + (grain + q) * %lldL;",
                noted_at(sizes, d, "row", 0), kept_stride(kernel));
    kernel_line(kernel, "vec *const carry = workspace + %lldL + q * %lldL;", carry_place(),
                sizes->state);
}

static const char *given_gradient(const Kernel *kernel, const Sizes *sizes, Int d)
{
    return format("%s + (grain + q) * %lldL", state_at(sizes, "dy", d, "row"), kernel->dy_stride);
}

/* The gradient of a projected state, and what it makes of that of all it was made of. */
static void emit_projection_gradient(Kernel *kernel, const Sizes *sizes, Int d)
{
    open_step_of_grain(kernel, sizes, d);
    kernel_line(kernel, "const vec *const given = %s;", given_gradient(kernel, sizes, d));
    kernel_line(kernel, "for (int u = 0; u < %lld; u++) {", sizes->state);
    kernel_line(kernel, "noted[u + %lldL] = given[u] + carry[u];", sizes->dstate);
    kernel_line(kernel, "carry[u] = splat(0);");
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    zero(kernel, format("(workspace + %lldL)", dshown_place(sizes)), sizes->hidden);
    emit_vector_product(kernel,
                        (VectorProduct){.in = sizes->hidden,
                                        .out = sizes->state,
                                        .weight = of_direction("weight_hr", d),
                                        .result = format("workspace + %lldL", dshown_place(sizes)),
                                        .source = format("%s + grain * %lldL",
                                                         noted_at(sizes, d, "row", sizes->dstate),
                                                         kept_stride(kernel)),
                                        .result_stride = sizes->hidden,
                                        .source_stride = kept_stride(kernel),
                                        .transposed = true});
}

static void emit_gate_gradients(Kernel *kernel, const Sizes *sizes, Int d)
{
    Int kept = kept_stride(kernel);
    open_step_of_grain(kernel, sizes, d);
    kernel_line(kernel, "vec *const din = dx + (grain + q) * %lldL + row * %lldL;", kept,
                sizes->sums);
    if (sizes->kind == CELL_LSTM) {
        kernel_line(kernel, "vec *const dcell = workspace + %lldL + q * %lldL;", dcell_place(sizes),
                    sizes->hidden);
        kernel_line(kernel, "const vec *const noted_before = %s + (grain + q) * %lldL;",
                    noted_at(sizes, d, "(step ? before : row)", 0), kept);
    }
    if (sizes->kind == CELL_GRU)
        kernel_line(kernel, "const vec *const last = %s + (grain + q) * %lldL;",
                    state_at(sizes, "y", d, "(step ? before : row)"), kept);
    if (sizes->projects)
        kernel_line(kernel, "const vec *const given = workspace + %lldL + q * %lldL;",
                    dshown_place(sizes), sizes->hidden);
    else
        kernel_line(kernel, "const vec *const given = %s;", given_gradient(kernel, sizes, d));
    kernel_line(kernel, "for (int u = 0; u < %lld; u++) {", sizes->hidden);
    kernel_line(kernel, "const vec dh = given[u]%s;", sizes->projects ? "" : " + carry[u]");
    if (!sizes->projects && sizes->kind != CELL_GRU)
        kernel_line(kernel, "carry[u] = splat(0);");
    if (sizes->kind == CELL_LSTM)
        lstm_backward(kernel, sizes);
    else if (sizes->kind == CELL_GRU)
        gru_backward(kernel, sizes);
    else
        elman_backward(kernel, sizes);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static void emit_input_gradient(Kernel *kernel, const Sizes *sizes, Int d)
{
    Int kept = kept_stride(kernel);
    require(!kernel->node->accumulate); /* nobody else reads what the linear before it makes */
    open_grains(kernel);
    zero(kernel, "workspace", sizes->state);
    if (sizes->kind == CELL_LSTM)
        zero(kernel, format("(workspace + %lldL)", dcell_place(sizes)), sizes->hidden);
    kernel_line(kernel, "for (int64_t step = %lld; step-- > 0;) {", sizes->steps);
    declare_rows(kernel, sizes, d, sizes->kind == CELL_GRU || sizes->kind == CELL_LSTM);
    if (sizes->projects)
        emit_projection_gradient(kernel, sizes, d);
    emit_gate_gradients(kernel, sizes, d);
    kernel_line(kernel, "if (step) {");
    emit_vector_product(
        kernel,
        (VectorProduct){.in = sizes->state,
                        .out = sizes->sums,
                        .weight = of_direction("weight_hh", d),
                        .result = format("workspace + %lldL", carry_place()),
                        .source = format("%s + grain * %lldL", noted_at(sizes, d, "row", 0), kept),
                        .result_stride = sizes->state,
                        .source_stride = kept,
                        .transposed = true});
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    close_grains(kernel);
}

/* ------------------------------------------------------------ parameters */

/* Of rows that are shorter than a vector, and of no rows, a sum over lanes for each weight. */
static void emit_short_gradient(Kernel *kernel, const RowGradient *gradient)
{
    kernel_line(kernel, "for (int64_t o = begin; o < end; o++)");
    kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++) {", gradient->in);
    kernel_line(kernel, "vec a = splat(0);");
    if (gradient->rows > 0) {
        kernel_line(kernel, "for (int64_t q = 0; q < s->grains; q++)");
        kernel_line(kernel, "    for (int64_t r = 0; r < %lld; r++)", gradient->rows);
        kernel_line(
            kernel,
            "        a += (%s)[q * %lldL + r * %lldL + o] * (%s)[q * %lldL + r * %lldL + i];",
            gradient->dy, gradient->dy_stride, gradient->dy_row, gradient->x, gradient->x_stride,
            gradient->x_row);
    }
    kernel_line(kernel, "%s[o * %lldL + i] %s sum_lanes(a);", gradient->dweight, gradient->in,
                adds_gradient(kernel, gradient->dweight) ? "+=" : "=");
    kernel_line(kernel, "}");
    move_rows(kernel, gradient->dweight, gradient->in);
}

static void emit_weight_gradient(Kernel *kernel, RowGradient gradient)
{
    kernel_line(kernel, "{");
    declare_gradient_rows(kernel, gradient.out);
    if (gradient.in < kernel->lanes || gradient.rows == 0)
        emit_short_gradient(kernel, &gradient);
    else
        emit_row_gradient(kernel, gradient);
    kernel_line(kernel, "}");
}

/* weight_hh is met by each step's state and the next step's gradient. */
static void emit_parameter_gradients(Kernel *kernel, const Sizes *sizes, Int d)
{
    Int kept = kept_stride(kernel), others = sizes->steps - 1;
    bool any = others > 0;
    RowGradient hidden = {
        .in = sizes->state,
        .out = sizes->sums,
        .rows = others,
        .x = format("(%s)", state_at(sizes, "y", d, any && d ? "1" : "0")),
        .dy = format("(%s)", noted_at(sizes, d, any && !d ? "1" : "0", 0)),
        .dweight = of_direction("dweight_hh", d),
        .x_stride = kept,
        .dy_stride = kept,
        .x_row = sizes->directions * sizes->state,
        .dy_row = sizes->noted,
    };
    emit_weight_gradient(kernel, hidden);
    if (sizes->bias) {
        kernel_line(kernel, "{");
        declare_gradient_rows(kernel, sizes->sums);
        emit_bias_gradient_of_rows(kernel,
                                   (BiasGradient){.out = sizes->sums,
                                                  .rows = sizes->steps,
                                                  .dy = format("(%s)", noted_at(sizes, d, "0", 0)),
                                                  .dbias = of_direction("dbias_hh", d),
                                                  .dy_stride = kept,
                                                  .dy_row = sizes->noted});
        kernel_line(kernel, "}");
    }
    if (sizes->projects)
        emit_weight_gradient(
            kernel, (RowGradient){.in = sizes->hidden,
                                  .out = sizes->state,
                                  .rows = sizes->steps,
                                  .x = format("(%s)", noted_at(sizes, d, "0", sizes->shown)),
                                  .dy = format("(%s)", noted_at(sizes, d, "0", sizes->dstate)),
                                  .dweight = of_direction("dweight_hr", d),
                                  .x_stride = kept,
                                  .dy_stride = kept,
                                  .x_row = sizes->noted,
                                  .dy_row = sizes->noted});
}

/* ------------------------------------------------------------ descriptor */

static bool always(const Node *node)
{
    (void)node;
    return true;
}

static Int workspace(const Node *node, const Node *pool, int lanes, bool filters)
{
    const Sizes sizes = sizes_of(node);
    (void)pool;
    (void)lanes;
    (void)filters;
    if (node->stage == STAGE_FORWARD)
        return MAX_GROUP * (sizes.sums + 2 * sizes.hidden);
    return node->stage == STAGE_BACKWARD_INPUT ? dshown_place(&sizes) + MAX_GROUP * sizes.hidden
                                               : 0;
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    const Sizes sizes = sizes_of(node);
    if (!node->whole_batch)
        return false;
    if (kernel->stage == STAGE_FORWARD) {
        kernel->algorithm = "Step by step, of a few grains at once; then the gates.";
        for (Int d = 0; d < sizes.directions; d++)
            emit_forward(kernel, &sizes, d);
    } else if (kernel->stage == STAGE_BACKWARD_INPUT) {
        kernel->algorithm = "From the last step to the first, of a few grains at once.";
        emit_input_gradient(kernel, &sizes, node->which);
    } else {
        kernel->algorithm = "Outer products of gradients and states of all steps and grains.";
        kernel->units = (sizes.sums + UNIT_ROWS - 1) / UNIT_ROWS;
        for (Int d = 0; d < sizes.directions; d++)
            emit_parameter_gradients(kernel, &sizes, d);
    }
    return true;
}

const Operator operator_recurrence = {
    .name = "recurrence",
    .summary = "The states of a recurrent layer, step by step.",
    .args = args,
    .input_gradient_reads = READS_Y | READS_AUX | WRITES_AUX,
    .parameter_gradient_reads = READS_Y | READS_AUX,
    .multiply_adds = multiply_adds,
    .whole_batch = always,
    .workspace = workspace,
    .emit = emit,
    .take_row = take_recurrence_row,
    .kept_of_rows = kept_of_recurrence,
    .emit_row = emit_recurrence_row,
};

/* Its gradients are made together: those of states and cells are what is left of the way back. */
const Operator operator_recurrence_from = {
    .name = "recurrence_from",
    .summary = "The states of a recurrent layer that has some to begin with, step by step.",
    .args = args_from,
    .traits = OP_GRADIENTS_TOGETHER,
    .input_gradient_reads = READS_X | READS_Y | READS_AUX | WRITES_AUX,
    .parameter_gradient_reads = READS_X | READS_Y | READS_AUX,
    .multiply_adds = multiply_adds,
};

/* ------------------------------------------------------------ last state */

static const ArgSpec last_args[] = {{"directions", ARG_INT, .doc = "Of the states of a step."},
                                    {0}};

/* Where a direction's lies among all steps'. */
static Int last_place(const Node *node, Int direction)
{
    Shape in = input_shape(node);
    Int state = in.dim[1] / node->args[0].integer[0];
    return direction ? state : (in.dim[0] - 1) * in.dim[1];
}

static bool emit_last(Kernel *kernel)
{
    const Node *node = kernel->node;
    Int directions = node->args[0].integer[0], state = input_shape(node).dim[1] / directions;
    bool forward = kernel->stage == STAGE_FORWARD;
    if (!forward && !node->accumulate) {
        kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++)",
                    shape_elements(input_shape(node)));
        kernel_line(kernel, "    dx[i] = (vec){ 0 };");
    }
    for (Int d = 0; d < directions; d++) {
        kernel_line(kernel, "for (int i = 0; i < %lld; i++)", state);
        if (forward)
            kernel_line(kernel, "    y[%lldL + i] = x[%lldL + i];", d * state, last_place(node, d));
        else
            kernel_line(kernel, "    dx[%lldL + i] += dy[%lldL + i];", last_place(node, d),
                        d * state);
    }
    return true;
}

const Operator operator_last_state = {
    .name = "last_state",
    .summary = "Each direction's last state.",
    .args = last_args,
    .emit = emit_last,
};
