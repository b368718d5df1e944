/* layers.c: edits of whole layers: one added where the shapes leave no choice
 * which, one without parameters taken out, and what a line asserts.
 */
#include "repair/search.h"

#include <string.h>

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

/* Before a dropout, which follows a flatten as well. */
static const Stmt *statement_after_flatten(const Site *site)
{
    int at = site->at;
    for (; at > 0; at--) {
        const Stmt *before = site->body->stmts.items[at - 1];
        if (before->kind != STMT_CALL || strcmp(before->call->word, "dropout") != 0)
            break;
    }
    return site->body->stmts.items[at];
}

/* The value of in_features= that is not what a flatten would give; or NULL. */
static const Expr *stale_assertion(const Site *site, Int values)
{
    const ArgList *arguments = &site->stmt->call->arguments;
    for (int i = 0; i < arguments->count; i++) {
        const ArgSpec *spec = spec_of(site->op, arguments, i);
        const Expr *value = arguments->items[i].value;
        if (spec && spec->assertion && !(value->kind == EXPR_INT && value->integer == values))
            return value;
    }
    return NULL;
}

/* An image where a row of values is wanted. */
static void propose_flatten(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    if (!fault->sized || fault->wanted.rank != 1 || fault->actual.rank != 3 || site->distance > 0)
        return;
    Span at = span_start(statement_after_flatten(site)->span);
    const char *indent = indentation(at),
               *text = indent ? format("flatten\n%s", indent) : "flatten; ";
    long long values = shape_elements(fault->actual);
    const Expr *stale = site->op ? stale_assertion(site, values) : NULL;
    const char *also = stale ? format(", and in_features=%lld says so", values) : "";
    Candidate *made = add_candidate(candidates, SIZE_NUMBER, site->distance, at, text,
                                    format("`flatten` before it makes [%lld]%s", values, also));
    made->plain = !stale;
    if (stale)
        push(&made->edits, ((Edit){stale->span, format("%lld", values)}));
}

/* What the loss takes is a row of values: a flatten ends the network. */
void propose_logits(const Program *program, const Diagnostic *fault, CandidateList *candidates)
{
    const Body *body = program->network ? program->network->body : NULL;
    bool of_loss =
        program->train && compare_spans(fault->marks.items[0].at, program->train->span) > 0;
    if (!body || !body->stmts.count || !of_loss || !fault->sized)
        return;
    if (fault->wanted.rank != 1 || fault->actual.rank != 3)
        return;
    const Stmt *last = body->stmts.items[body->stmts.count - 1];
    const char *indent = indentation(last->span);
    if (last->body)
        return;
    const char *text = indent ? format("\n%sflatten", indent) : "; flatten";
    const char *means = format("`flatten` after line %d makes [%lld]", last->span.end_line,
                               shape_elements(fault->actual));
    add_candidate(candidates, SIZE_NUMBER, 0, insertion_after(last->span), text, means)->plain =
        true;
}

/* The output size of a 1x1 convolution of this stride. */
static Int strided(Int size, Int stride)
{
    return (size - 1) / stride + 1;
}

/* What an argument of a sliding window's call says, in the words of its line; NULL: it is not
 * given. */
static const char *argument_words(const Stmt *stmt, ArgRole role)
{
    const Operator *op = stmt->kind == STMT_CALL ? find_operator(stmt->call->word) : NULL;
    if (op && op->window != WINDOW_SLIDES)
        return NULL;
    for (int i = 0; op && i < stmt->call->arguments.count; i++) {
        const ArgSpec *spec = spec_of(op, &stmt->call->arguments, i);
        Span at = stmt->call->arguments.items[i].value->span;
        if (spec && spec->role == role && at.line == at.end_line)
            return span_text(at);
    }
    return NULL;
}

/* How many channels the body's last convolution makes, in the words of its line. */
static const char *channels_of_body(const Body *body)
{
    const char *channels = NULL;
    for (int i = 0; i < body->stmts.count; i++) {
        const char *out = argument_words(body->stmts.items[i], ROLE_CHANNELS);
        channels = out ? out : channels;
    }
    return channels;
}

/* The one stride that a body gives; "": none; NULL: several. */
static const char *stride_of_body(const Body *body)
{
    const char *stride = "";
    for (int i = 0; i < body->stmts.count; i++) {
        const char *step = argument_words(body->stmts.items[i], ROLE_STRIDE);
        if (step && *stride && strcmp(step, stride) != 0)
            return NULL;
        stride = step ? step : stride;
    }
    return stride;
}

/* The same convolution in a block's own words. */
static const char *shortcut_of_body(const Body *body)
{
    const char *channels = channels_of_body(body), *stride = stride_of_body(body);
    if (!channels || !stride)
        return NULL;
    return format("conv2d(%s, 1%s)", channels, *stride ? format(", stride=%s", stride) : "");
}

/* A projection on the side of a shortcut that an `if` leaves empty. */
static void propose_other_side(const Site *site, const Body *shortcut, CandidateList *candidates)
{
    const Stmt *only = shortcut->stmts.count == 1 ? shortcut->stmts.items[0] : NULL;
    const char *channels = channels_of_body(site->stmt->body);
    if (!channels || !only || only->kind != STMT_IF || only->other)
        return;
    const char *side = format("else { conv2d(%s, 1) }", channels);
    add_candidate(candidates, SIZE_NUMBER, site->distance, insertion_after(only->body->close),
                  format(" %s", side), format("`%s` in the shortcut makes the shapes fit", side));
}

static void add_shortcut(const Diagnostic *fault, const Site *site, const char *convolution,
                         CandidateList *candidates)
{
    const char *shortcut = format("shortcut { %s }", convolution);
    add_candidate(candidates, SIZE_NUMBER, site->distance, insertion_after(site->stmt->body->close),
                  format(" %s", shortcut),
                  format("`%s` after the body makes %s of %s", shortcut, shape_text(fault->actual),
                         shape_text(fault->wanted)));
}

/* A 1x1 convolution that takes what is skipped to the body's shape. */
static void propose_shortcut(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    const Stmt *stmt = site->stmt;
    Shape body = fault->actual, x = fault->wanted;
    if (!fault->sized || stmt->kind != STMT_SKIP || site->distance > 0 || x.rank != 3
        || body.rank != 3)
        return;
    if (stmt->other) {
        propose_other_side(site, stmt->other, candidates);
        return;
    }
    const char *own = site->def && site->def->params.count ? shortcut_of_body(stmt->body) : NULL;
    if (own) {
        add_shortcut(fault, site, own, candidates);
        return;
    }
    for (Int stride = 1; stride <= 16; stride++) {
        if (strided(x.dim[1], stride) != body.dim[1] || strided(x.dim[2], stride) != body.dim[2])
            continue;
        const char *step = stride > 1 ? format(", stride=%lld", stride) : "";
        add_shortcut(fault, site, format("conv2d(%lld, 1%s)", body.dim[0], step), candidates);
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
    return role_arg(op, ROLE_CHANNELS) < 0 && (op->traits & OP_VIEW || is_spatial(op));
}

/* Not one that has a name or asserts its shape: it is meant. */
static void propose_removal(const Site *site, CandidateList *candidates)
{
    const Stmt *stmt = site->stmt;
    if (!site->op || !only_shapes(site->op) || stmt->body || stmt->as || stmt->shape
        || stmt->span.end_line != stmt->span.line)
        return;
    Span call = stmt->call->span;
    add_candidate(candidates, SIZE_STRUCTURE, site->distance, removed_span(stmt), "",
                  format("without %s on line %d the shapes fit", span_text(call), call.line));
}

static void propose_assertion(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    const ShapeExpr *shape = site->stmt->shape;
    if (!fault->sized || !shape || site->stmt->kind == STMT_INPUT
        || compare_spans(shape->span, fault->marks.items[0].at) != 0)
        return;
    const char *real = shape_text(fault->actual);
    add_candidate(candidates, SIZE_STRUCTURE, site->distance, shape->span, real,
                  format("-> %s is its shape", real));
}

void propose_layers(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    propose_flatten(fault, site, candidates);
    propose_shortcut(fault, site, candidates);
    propose_assertion(fault, site, candidates);
    propose_removal(site, candidates);
}

/* [28, 28, 1], as Keras has it; the same with the channels first. */
static const char *channels_first(const ShapeExpr *shape)
{
    Int dim[3];
    for (int i = 0; i < 3; i++) {
        if (shape->dims.count != 3 || shape->dims.items[i]->kind != EXPR_INT)
            return NULL;
        dim[i] = shape->dims.items[i]->integer;
    }
    bool last = (dim[2] == 1 || dim[2] == 3 || dim[2] == 4) && dim[0] > dim[2] && dim[1] > dim[2];
    return last ? shape_text(shape_of(3, dim[2], dim[0], dim[1])) : NULL;
}

static const ShapeExpr *input_of(const Program *program)
{
    const Body *body = program->network ? program->network->body : NULL;
    for (int i = 0; body && i < body->stmts.count; i++)
        if (body->stmts.items[i]->kind == STMT_INPUT)
            return body->stmts.items[i]->shape;
    return NULL;
}

static bool is_image(const ShapeExpr *shape)
{
    for (int i = 0; i < shape->dims.count; i++)
        if (shape->dims.items[i]->kind != EXPR_INT || shape->dims.items[i]->integer > INT32_MAX)
            return false;
    return shape->dims.count == 3;
}

static Shape rounded_up(const ShapeExpr *image, Int factor)
{
    Shape shape = shape_of(3, image->dims.items[0]->integer, 0, 0);
    for (int i = 1; i < 3; i++)
        shape.dim[i] = (image->dims.items[i]->integer + factor - 1) / factor * factor;
    return shape;
}

/* Sizes that halve without a rest, for networks that double again and join. */
static void propose_multiples(const ShapeExpr *image, CandidateList *candidates)
{
    enum { MAX_FACTOR = 32 };
    if (!is_image(image))
        return;
    for (Int factor = 2; factor <= MAX_FACTOR; factor *= 2) {
        Shape shape = rounded_up(image, factor);
        bool same = 2 * factor < MAX_FACTOR && shape_equal(shape, rounded_up(image, 2 * factor));
        if (same || shape_equal(shape, rounded_up(image, 1)))
            continue;
        add_candidate(candidates, SIZE_KEEPING, 0, image->span, shape_text(shape),
                      format("input %s: sizes divisible by %lld, of which no half leaves a rest",
                             shape_text(shape), factor));
    }
}

/* The input as the data has it, or with its channels first, or of sizes that fit. */
void propose_input(const Program *program, const Diagnostic *fault, CandidateList *candidates)
{
    const ShapeExpr *shape = input_of(program);
    const char *first = shape ? channels_first(shape) : NULL;
    if (shape && fault->sized && compare_spans(shape->span, fault->marks.items[0].at) == 0) {
        const char *wanted = shape_text(fault->wanted);
        Candidate *made = add_candidate(candidates, SIZE_NUMBER, 0, shape->span, wanted,
                                        format("input %s is what arrives", wanted));
        made->plain = made->root = true;
        return;
    }
    if (first)
        add_candidate(candidates, SIZE_KEEPING, 0, shape->span, first,
                      format("input %s: the channels come first", first));
    if (shape && strcmp(fault->code, "concat-mismatch") == 0)
        propose_multiples(shape, candidates);
}

/* A number in a block's signature, as the block really gives it. */
void propose_signature(const Program *program, const Diagnostic *fault, CandidateList *candidates)
{
    Span at = fault->marks.items[0].at;
    for (int i = 0; fault->sized && i < program->blocks.count; i++)
        for (const ShapeExpr *out = program->blocks.items[i]->out; out; out = out->next)
            for (int axis = 0; axis < out->dims.count && axis < fault->actual.rank; axis++) {
                const Expr *dim = out->dims.items[axis];
                const char *real = format("%lld", fault->actual.dim[axis]);
                if (dim->kind == EXPR_INT && compare_spans(dim->span, at) == 0)
                    add_candidate(candidates, SIZE_STRUCTURE, 0, dim->span, real,
                                  format("%s in the signature is what the block gives", real));
            }
}
