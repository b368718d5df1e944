/* recurrence_row.c: one step of a recurrent layer, of the state that it has kept.
 *
 *   x     [gates * hidden]: weight_ih x + bias_ih of the step       y [state]
 *   rows  the state, then an lstm's cell, each to whole vectors
 *   work  [gates * hidden]: weight_hh h + bias_hh; then what a projection is made of
 *
 * A weight's rows are read as they lie, one after the other, and each once: threads share them.
 */
#include "kernels/image/image.h"
#include "ops/recurrence.h"

#include <string.h>

enum { ROWS_AT_ONCE = 4 }; /* independent sums */

typedef struct Cell {
    CellKind kind;
    Int hidden, state, sums;
    bool bias, projects;
} Cell;

static Cell cell_of(const Node *row)
{
    Cell cell = {.kind = CELL_TANH,
                 .hidden = row->args[RECURRENCE_HIDDEN].integer[0],
                 .state = row->args[RECURRENCE_PROJECTION].integer[0],
                 .bias = row->args[RECURRENCE_BIAS].integer[0]};
    while (strcmp(cell_words[cell.kind], row->args[RECURRENCE_CELL].word) != 0)
        cell.kind++;
    cell.projects = cell.state > 0;
    cell.state = cell.projects ? cell.state : cell.hidden;
    cell.sums = cell_gates(cell.kind) * cell.hidden;
    return cell;
}

static Int whole_vectors(Int count, int lanes)
{
    return (count + lanes - 1) / lanes * lanes;
}

bool take_recurrence_row(Node *row, Int steps)
{
    return row->inputs.count == 1 && row->sequence->out->shape.dim[0] == steps;
}

Int kept_of_recurrence(const Node *row, int lanes)
{
    const Cell cell = cell_of(row);
    return whole_vectors(cell.state, lanes) + whole_vectors(cell.hidden, lanes);
}

/* ------------------------------------------------------------- products */

/* One weight's rows, times what is kept. */
typedef struct Rows {
    const char *weight, *source; /* [..., in], [in] */
    const char *bias;            /* NULL: none */
    const char *const *results;  /* where sums go, NULL-terminated */
    Int in;
} Rows;

static void emit_sums(Kernel *kernel, const Rows *rows, int count)
{
    Int whole = rows->in / kernel->lanes * kernel->lanes;
    kernel_line(kernel, "const real *const row = %s + o * %lldL;", rows->weight, rows->in);
    for (int r = 0; r < count; r++)
        kernel_add(kernel, "vec a%d = splat(0);", r);
    if (whole) {
        kernel_line(kernel, "for (int64_t i = 0; i < %lld; i += LANES) {", whole);
        kernel_line(kernel, "const vec v = *(const unaligned_vec *)(%s + i);", rows->source);
        for (int r = 0; r < count; r++)
            kernel_line(kernel, "a%d += *(const unaligned_vec *)(row + %lldL + i) * v;", r,
                        r * rows->in);
        kernel_line(kernel, "}");
    }
    for (int r = 0; r < count; r++)
        kernel_line(kernel, "real s%d = sum_lanes(a%d)%s;", r, r,
                    rows->bias ? format(" + %s[o + %d]", rows->bias, r) : "");
    if (whole < rows->in) {
        kernel_line(kernel, "for (int64_t i = %lld; i < %lld; i++) {", whole, rows->in);
        for (int r = 0; r < count; r++)
            kernel_line(kernel, "s%d += row[%lldL + i] * %s[i];", r, r * rows->in, rows->source);
        kernel_line(kernel, "}");
    }
    for (int k = 0; rows->results[k]; k++)
        for (int r = 0; r < count; r++)
            kernel_add(kernel, "%s[o + %d] = s%d;", rows->results[k], r, r);
}

static void emit_product(Kernel *kernel, const Rows *rows, Int out)
{
    Int whole = out / ROWS_AT_ONCE * ROWS_AT_ONCE;
    if (whole) {
        open_stepped_pieces(kernel, "o", 0, whole, ROWS_AT_ONCE);
        emit_sums(kernel, rows, ROWS_AT_ONCE);
        kernel_line(kernel, "}");
    }
    if (whole < out) {
        open_stepped_pieces(kernel, "o", whole, out, 1);
        emit_sums(kernel, rows, 1);
        kernel_line(kernel, "}");
    }
}

/* ---------------------------------------------------------------- gates */

/* `name`: function of both halves of the sum of gate `number`. */
static void declare_gate(Kernel *kernel, const Cell *cell, const char *name, int number,
                         const char *function, const char *times)
{
    kernel_line(kernel,
                "const vec %s = %s(*(const unaligned_vec *)(x + u + %lldL) + %s*(const "
                "unaligned_vec *)(sums + u + %lldL));",
                name, function, number * cell->hidden, times, number * cell->hidden);
}

static void emit_cell(Kernel *kernel, const Cell *cell)
{
    switch (cell->kind) {
    case CELL_TANH:
        declare_gate(kernel, cell, "h", 0, "vec_tanh", "");
        break;
    case CELL_RELU:
        declare_gate(kernel, cell, "a", 0, "", "");
        kernel_line(kernel, "const vec h = vec_select(a > splat(0), a, splat(0));");
        break;
    case CELL_GRU:
        declare_gate(kernel, cell, "r", 0, "vec_sigmoid", "");
        declare_gate(kernel, cell, "z", 1, "vec_sigmoid", "");
        declare_gate(kernel, cell, "n", 2, "vec_tanh", "r * ");
        kernel_line(kernel, "const vec h = n + z * (*(const unaligned_vec *)(state + u) - n);");
        break;
    case CELL_LSTM:
        declare_gate(kernel, cell, "i", 0, "vec_sigmoid", "");
        declare_gate(kernel, cell, "f", 1, "vec_sigmoid", "");
        declare_gate(kernel, cell, "g", 2, "vec_tanh", "");
        declare_gate(kernel, cell, "o", 3, "vec_sigmoid", "");
        kernel_line(kernel, "const vec c = f * *(const unaligned_vec *)(cell + u) + i * g;");
        kernel_line(kernel, "*(unaligned_vec *)(cell + u) = c;");
        kernel_line(kernel, "const vec h = o * vec_tanh(c);");
        break;
    }
}

/* The values from u on, `used` of them; what is kept has room for whole vectors. */
static void emit_values(ImageKernel *image, const Cell *cell, Int used)
{
    Kernel *kernel = &image->kernel;
    emit_cell(kernel, cell);
    kernel_line(kernel, "*(unaligned_vec *)(%s + u) = h;", cell->projects ? "shown" : "state");
    if (!cell->projects)
        image_store(image, "0", "u", used, "h");
}

static void emit_gates(ImageKernel *image, const Cell *cell)
{
    Kernel *kernel = &image->kernel;
    Int lanes = kernel->lanes, whole = cell->hidden / lanes * lanes;
    if (whole) {
        kernel_line(kernel, "for (int64_t u = 0; u < %lld; u += LANES) {", whole);
        emit_values(image, cell, lanes);
        kernel_line(kernel, "}");
    }
    if (whole < cell->hidden) {
        kernel_line(kernel, "{");
        kernel_line(kernel, "const int64_t u = %lld;", whole);
        emit_values(image, cell, cell->hidden - whole);
        kernel_line(kernel, "}");
    }
}

void emit_recurrence_row(ImageKernel *image)
{
    static const char *const sums[] = {"sums", NULL}, *const states[] = {"state", "y", NULL};
    Kernel *kernel = &image->kernel;
    const Cell cell = cell_of(kernel->node);
    bool shared = kernel->splits;
    const Rows hidden = {"weight_hh", "state", cell.bias ? "bias_hh" : NULL, sums, cell.state},
               projection = {"weight_hr", "shown", NULL, states, cell.hidden};
    kernel->algorithm = "One step, of the state that is kept: a row of weights after the other.";
    image->work = whole_vectors(cell.sums, kernel->lanes) + kernel->lanes
                  + whole_vectors(cell.hidden, kernel->lanes);
    kernel_line(kernel, "real *const sums = team_workspace, *const state = rows;");
    if (cell.kind == CELL_LSTM)
        kernel_line(kernel, "real *const cell = rows + %lldL;",
                    whole_vectors(cell.state, kernel->lanes));
    if (cell.projects)
        kernel_line(kernel, "real *const shown = sums + %lldL;",
                    whole_vectors(cell.sums, kernel->lanes) + kernel->lanes);
    emit_product(kernel, &hidden, cell.sums);
    if (shared) {
        kernel_line(kernel, "net_meet(team);");
        kernel_line(kernel, "if (net_leads(team)) {");
    }
    emit_gates(image, &cell);
    if (shared)
        kernel_line(kernel, "}");
    if (shared && cell.projects)
        kernel_line(kernel, "net_meet(team);");
    if (cell.projects)
        emit_product(kernel, &projection, cell.state);
}
