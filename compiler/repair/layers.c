/* layers.c: edits of whole layers: one added where the shapes leave no choice
 * which, one without parameters taken out, and what a line asserts.
 */
#include "repair/repair.h"

#include <string.h>

static Span insertion_before(Span at)
{
    at.end_line = at.line;
    at.end_column = at.column;
    return at;
}

static Span insertion_after(Span at)
{
    at.line = at.end_line;
    at.column = at.end_column;
    return at;
}

/* The spaces before a statement that is the first of its line; else NULL. */
static const char *indentation(Span at)
{
    int length;
    const char *line = source_line(at.source, at.line, &length);
    int indent = (int)strspn(line, " \t");
    return indent == at.column - 1 ? format("%.*s", indent, line) : NULL;
}

/* An image where a row of values is wanted. */
static void propose_flatten(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    Span at = insertion_before(site->stmt->span);
    if (!fault->sized || fault->wanted.rank != 1 || fault->actual.rank != 3 || site->distance > 0)
        return;
    const char *indent = indentation(at), *text = indent ? format("flatten\n%s", indent) : "flatten; ";
    add_candidate(candidates, SIZE_NUMBER, site->distance, at, text,
                  format("`flatten` before it makes [%lld]", (long long)shape_elements(fault->actual)));
}

/* The output size of a 1x1 convolution of this stride. */
static int64_t strided(int64_t size, int64_t stride)
{
    return (size - 1) / stride + 1;
}

/* A 1x1 convolution that takes what is skipped to the body's shape. */
static void propose_shortcut(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    const Stmt *stmt = site->stmt;
    Shape body = fault->actual, x = fault->wanted;
    if (!fault->sized || stmt->kind != STMT_SKIP || stmt->other || site->distance > 0 || x.rank != 3 || body.rank != 3)
        return;
    for (int64_t stride = 1; stride <= 16; stride++) {
        if (strided(x.dim[1], stride) != body.dim[1] || strided(x.dim[2], stride) != body.dim[2])
            continue;
        const char *step = stride > 1 ? format(", stride=%lld", (long long)stride) : "";
        const char *shortcut = format("shortcut { conv2d(%lld, 1%s) }", (long long)body.dim[0], step);
        add_candidate(candidates, SIZE_NUMBER, site->distance, insertion_after(stmt->body->close), format(" %s", shortcut),
                      format("`%s` after the body makes %s of %s", shortcut, shape_text(body), shape_text(x)));
        return;
    }
}

/* The statement with its line when it has that for itself, or else with the
 * semicolon and spaces after it. */
static Span removed_span(const Stmt *stmt)
{
    Span at = stmt->span;
    int length;
    const char *line = source_line(at.source, at.end_line, &length);
    int end = at.end_column - 1;
    end += (int)strspn(line + end, " \t");
    bool last = end >= length || line[end] == '#';
    if (last && indentation(at) && at.line == at.end_line) {
        at.column = 1;
        at.end_line++;
        at.end_column = 1;
        return at;
    }
    if (end < length && line[end] == ';')
        end += 1 + (int)strspn(line + end + 1, " \t");
    at.end_column = end + 1;
    return at;
}

/* A layer that is there for its shape alone: a pool, a flatten, an upsampling. */
static bool only_shapes(const Operator *op)
{
    bool learns = operator_arg(op, "out_channels") >= 0 || operator_arg(op, "out_features") >= 0;
    return !learns && ((op->traits & OP_VIEW) || operator_arg(op, "kernel_size") >= 0 || operator_arg(op, "output_size") >= 0 ||
                       operator_arg(op, "scale_factor") >= 0 || operator_arg(op, "padding") >= 0);
}

/* Not one that has a name or asserts its shape: it is meant. */
static void propose_removal(const Site *site, CandidateList *candidates)
{
    const Stmt *stmt = site->stmt;
    if (!site->op || !only_shapes(site->op) || stmt->body || stmt->as || stmt->shape || stmt->span.end_line != stmt->span.line)
        return;
    Span call = stmt->call->span;
    const char *line = call.source->chars + call.source->line_starts[call.line - 1];
    add_candidate(candidates, SIZE_STRUCTURE, site->distance, removed_span(stmt), "",
                  format("without %.*s on line %d the shapes fit", call.end_column - call.column, line + call.column - 1,
                         call.line));
}

static void propose_assertion(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    const ShapeExpr *shape = site->stmt->shape;
    if (!fault->sized || !shape || site->stmt->kind == STMT_INPUT || compare_spans(shape->span, fault->marks.items[0].at) != 0)
        return;
    const char *real = shape_text(fault->actual);
    add_candidate(candidates, SIZE_STRUCTURE, site->distance, shape->span, real, format("-> %s is its shape", real));
}

void propose_layers(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    propose_flatten(fault, site, candidates);
    propose_shortcut(fault, site, candidates);
    propose_assertion(fault, site, candidates);
    propose_removal(site, candidates);
}

/* The input as the data has it. */
void propose_input(const Program *program, const Diagnostic *fault, CandidateList *candidates)
{
    Span at = fault->marks.items[0].at;
    const Body *body = program->network ? program->network->body : NULL;
    for (int i = 0; body && fault->sized && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        if (stmt->kind == STMT_INPUT && compare_spans(stmt->shape->span, at) == 0)
            add_candidate(candidates, SIZE_NUMBER, 0, stmt->shape->span, shape_text(fault->wanted),
                          format("input %s is what arrives", shape_text(fault->wanted)))->root = true;
    }
}

/* A number in a block's signature, as the block really gives it. */
void propose_signature(const Program *program, const Diagnostic *fault, CandidateList *candidates)
{
    Span at = fault->marks.items[0].at;
    for (int i = 0; fault->sized && i < program->blocks.count; i++) {
        const ShapeExpr *out = program->blocks.items[i]->out;
        for (int axis = 0; out && axis < out->dims.count && axis < fault->actual.rank; axis++) {
            const Expr *dim = out->dims.items[axis];
            const char *real = format("%lld", (long long)fault->actual.dim[axis]);
            if (dim->kind == EXPR_INT && compare_spans(dim->span, at) == 0)
                add_candidate(candidates, SIZE_STRUCTURE, 0, dim->span, real, format("%s in the signature is what the block gives", real));
        }
    }
}
