/* blocks.c: uses of blocks.  A block is expanded anew at every use, with that
 * use's concrete shapes, so its body is checked as plainly as the network's;
 * one that is never expanded is walked once with everything unknown.
 */
#include "graph/build.h"

#include <string.h>

/* ------------------------------------------- blocks that use themselves */

enum { MAX_CHAIN = 500 }; /* a longer chain exceeds MAX_LEVELS wherever it is used */

/* the blocks being visited, and where each mentions the next */
typedef struct Chain {
    Builder *b;
    BlockState *states[MAX_CHAIN];
    Span mentions[MAX_CHAIN];
    int count, expression_depth;
} Chain;

static void report_cycle(Chain *chain, int first)
{
    Text cycle = {0};
    for (int i = first; i < chain->count; i++)
        text_add(&cycle, "%s -> ", chain->states[i]->def->name);
    const char *name = chain->states[first]->def->name;
    Diagnostic *d = diag(SEVERITY_ERROR, "recursive-block", chain->mentions[first],
                         "block %s uses itself: %s%s", name, text_chars(&cycle), name);
    for (int i = first; i < chain->count; i++) {
        const char *next = chain->states[i + 1 < chain->count ? i + 1 : first]->def->name;
        chain->states[i]->cyclic = true;
        if (i == first)
            diag_caption(d, "%s uses %s", chain->states[i]->def->name, next);
        else
            diag_label(d, chain->mentions[i], "%s uses %s", chain->states[i]->def->name, next);
    }
}

static void visit_block(Chain *chain, BlockState *state);

/* A word of the block on top of the chain: perhaps another block's name. */
static void visit_word(Chain *chain, const char *word, Span span)
{
    BlockState *state = map_get(&chain->b->blocks, word);
    const BlockDef *def = chain->states[chain->count - 1]->def;
    if (state == NULL)
        return;
    for (int i = 0; i < def->params.count; i++)
        if (def->params.items[i].name == word)
            return;
    chain->mentions[chain->count - 1] = span;
    if (state->visit == UNVISITED)
        visit_block(chain, state);
    for (int i = 0; state->visit == VISITING && i < chain->count; i++)
        if (chain->states[i] == state && !state->cyclic)
            report_cycle(chain, i);
}

static void visit_expr(Chain *chain, const Expr *expr)
{
    if (expr == NULL || chain->expression_depth > MAX_EXPRESSION_DEPTH)
        return;
    chain->expression_depth++;
    if (expr->kind == EXPR_PATH || expr->kind == EXPR_CALL)
        visit_word(chain, expr->word, expr->kind == EXPR_CALL ? expr->word_span : expr->span);
    for (int i = 0; i < expr->arguments.count; i++)
        visit_expr(chain, expr->arguments.items[i].value);
    for (int i = 0; i < expr->items.count; i++)
        visit_expr(chain, expr->items.items[i]);
    visit_expr(chain, expr->left);
    visit_expr(chain, expr->right);
    visit_expr(chain, expr->condition);
    chain->expression_depth--;
}

static void visit_body(Chain *chain, const Body *body, int level)
{
    if (body == NULL || level > 4 * MAX_LEVELS)
        return;
    for (int i = 0; i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        visit_expr(chain, stmt->call);
        visit_expr(chain, stmt->value);
        visit_body(chain, stmt->body, level + 1);
        visit_body(chain, stmt->other, level + 1);
    }
}

static void visit_block(Chain *chain, BlockState *state)
{
    if (chain->count == MAX_CHAIN)
        return;
    int depth = chain->expression_depth;
    chain->expression_depth = 0;
    state->visit = VISITING;
    chain->states[chain->count++] = state;
    for (int i = 0; i < state->def->params.count; i++)
        visit_expr(chain, state->def->params.items[i].value);
    visit_body(chain, state->def->body, 0);
    chain->count--;
    state->visit = VISITED;
    chain->expression_depth = depth;
}

void enter_blocks(Builder *b)
{
    for (int i = 0; i < b->program->blocks.count; i++) {
        BlockState *state = NEW(BlockState);
        state->def = b->program->blocks.items[i];
        map_set(&b->blocks, state->def->name, state);
    }
    Chain *chain = NEW(Chain);
    chain->b = b;
    for (int i = 0; i < b->program->blocks.count; i++) {
        BlockState *state = map_get(&b->blocks, b->program->blocks.items[i]->name);
        if (state->visit == UNVISITED)
            visit_block(chain, state);
    }
}

/* ----------------------------------------------------------- signatures */

static bool binds_name(const Builder *b, const Expr *dim)
{
    return dim->kind == EXPR_PATH && strchr(dim->word, '.') == NULL
           && find_value(b, dim->word) == NULL;
}

int match_shape(Builder *b, const ShapeExpr *shape, const Tensor *tensor, bool binds, Int *wanted)
{
    bool same_rank = tensor != NULL && tensor->shape.rank == shape->dims.count;
    int differs = tensor == NULL ? -2 : same_rank ? -1 : 0;
    *wanted = shape->dims.count;
    for (int axis = 0; axis < shape->dims.count; axis++) {
        const Expr *dim = shape->dims.items[axis];
        Value actual =
            same_rank ? int_value(tensor->shape.dim[axis]) : (Value){.kind = VALUE_UNKNOWN};
        Int number;
        if (dim->kind == EXPR_ANY)
            continue;
        if (binds && binds_name(b, dim)) {
            bind_value(b, dim->word, dim->span, actual);
        } else if (!whole_number(b, dim, "a dimension is a whole number", &number)) {
            differs = -2;
        } else if (same_rank && differs == -1 && number != actual.integer) {
            differs = axis;
            *wanted = number;
        }
    }
    return differs;
}

const char *shape_difference(const ShapeExpr *shape, Shape actual, int axis, Int wanted)
{
    if (actual.rank != shape->dims.count)
        return format("%d %s, not %d", actual.rank, actual.rank == 1 ? "axis" : "axes",
                      shape->dims.count);
    return format("%s %lld, not %lld", axis_name(actual.rank, axis), actual.dim[axis], wanted);
}

/* That this one axis had to be another. */
static void size_axis(Diagnostic *d, Shape actual, int rank, int axis, Int wanted)
{
    Shape shape = {.rank = rank <= MAX_RANK ? rank : MAX_RANK, .dim = {-1, -1, -1, -1}};
    if (actual.rank == rank)
        shape.dim[axis] = wanted;
    diag_sizes(d, actual, shape);
}

/* "its input", of several "its input right", as the body calls it, or "its input 2". */
static const char *input_text(const BlockDef *def, const ShapeExpr *shape, int i)
{
    if (def->in->next == NULL)
        return "its input";
    return shape->name != NULL ? format("its input %s", shape->name)
                               : format("its input %d", i + 1);
}

static void report_input(Builder *b, const BlockDef *def, const ShapeExpr *shape, int i,
                         const Tensor *x, Span span, int axis, Int wanted)
{
    Diagnostic *d =
        build_error(b, "shape-mismatch", span, "block %s takes %s, but %s is %s: %s", def->name,
                    span_text(shape->span), input_text(def, shape, i), shape_text(x->shape),
                    shape_difference(shape, x->shape, axis, wanted));
    diag_label(d, def->span, "the signature");
    add_derivation(d, x, b->instance);
    size_axis(d, x->shape, shape->dims.count, axis, wanted);
}

static void report_input_count(Builder *b, const BlockDef *def, const Tensor *x, Span span)
{
    int takes = count_shapes(def->in), has = count_carried(x);
    Diagnostic *d =
        build_error(b, "several-tensors", span, "block %s takes %d %s, and has %d: %s", def->name,
                    takes, takes == 1 ? "tensor" : "tensors", has, carried_text(x));
    diag_label(d, def->span, "the signature");
    if (takes > has)
        diag_help(d,
                  "`from (left, right)` before it, or %s(right) of a tensor's name: the current "
                  "tensor comes first",
                  def->name);
    else
        diag_help(d, "`from left` goes on from one of them, `from (left, right)` from two");
}

/* In the block, where it has a name there. */
static void declare_input(Builder *b, const ShapeExpr *shape, Tensor *x)
{
    const Name name = {.local = shape->name, .span = shape->name_span};
    const TensorName *first = shape->name != NULL ? find_tensor(b, shape->name) : NULL;
    if (first != NULL)
        diag_label(build_error(b, "duplicate-name", shape->name_span,
                               "two inputs of the block are named %s", shape->name),
                   first->span, "the first");
    declare_tensor(b, &name, x);
}

/* The input's fault is the caller's. */
static bool match_input(Builder *b, const BlockDef *def, Tensor *x, Span span)
{
    const Instance *here = b->instance;
    bool good = true;
    int i = 0;
    if (def->in == NULL)
        return true;
    b->instance = here->outer;
    if (count_carried(x) != count_shapes(def->in)) {
        report_input_count(b, def, x, span);
        b->instance = here;
        return false;
    }
    for (const ShapeExpr *shape = def->in; shape != NULL; shape = shape->next, i++) {
        Tensor *part = carried_part(x, i);
        Int wanted;
        b->instance = here;
        int axis = match_shape(b, shape, part, true, &wanted);
        declare_input(b, shape, part);
        b->instance = here->outer;
        if (axis >= 0)
            report_input(b, def, shape, i, part, span, axis, wanted);
        good &= axis == -1;
    }
    b->instance = here;
    return good;
}

static void report_output_count(Builder *b, const BlockDef *def, const Tensor *y)
{
    int says = count_shapes(def->out), gives = count_carried(y);
    Diagnostic *d = build_error(b, "several-tensors", shapes_span(def->out),
                                "block %s gives %d %s, but its signature says %d", def->name, gives,
                                gives == 1 ? "tensor" : "tensors", says);
    if (says > 1)
        diag_help(d, "a block ends with what it gives: `from (left, right)`");
}

static bool match_one_output(Builder *b, const BlockDef *def, const ShapeExpr *shape,
                             const Tensor *y)
{
    Int wanted;
    int axis = match_shape(b, shape, y, false, &wanted);
    if (axis < 0)
        return axis == -1;
    bool ranked = y->shape.rank == shape->dims.count;
    Diagnostic *d = build_error(
        b, "shape-mismatch", ranked ? shape->dims.items[axis]->span : shape->span,
        "block %s gives %s, but its signature says %s: %s", def->name, shape_text(y->shape),
        span_text(shape->span), shape_difference(shape, y->shape, axis, wanted));
    if (ranked)
        diag_caption(d, "this is %lld", wanted);
    add_derivation(d, y, b->instance);
    size_axis(d, y->shape, shape->dims.count, axis, wanted);
    return false;
}

static bool match_output(Builder *b, const BlockDef *def, Tensor *y)
{
    bool good = true;
    int i = 0;
    if (def->out != NULL && count_carried(y) != count_shapes(def->out)) {
        report_output_count(b, def, y);
        return false;
    }
    for (const ShapeExpr *shape = def->out; shape != NULL; shape = shape->next)
        good &= match_one_output(b, def, shape, carried_part(y, i++));
    return good;
}

/* ----------------------------------------------------------------- uses */

/* The whole numbers that this use of a block binds, when somebody asks. */
static void note_block(Builder *b, const BlockDef *def)
{
    BlockUse use = {.def = def, .instance = b->instance};
    for (const Binding *binding = b->frame->bindings; binding != NULL; binding = binding->previous)
        if (binding->value.kind == VALUE_INT)
            push(&use.symbols, ((Symbol){binding->name, binding->value.integer}));
    push(&b->trace->blocks, use);
}

static Tensor *walk_block(Builder *b, const BlockDef *def, Tensor *x, Span span)
{
    if (!match_input(b, def, x, span))
        return NULL;
    if (b->trace != NULL)
        note_block(b, def);
    Tensor *y = walk_statements(b, def->body, x);
    return y != NULL && match_output(b, def, y) ? y : NULL;
}

/* With an unknown input only the arguments are looked at: the body is checked
 * by another use, or as an unused block's.  A signature that could not be read
 * was told once; what it would have made is unknown. */
Tensor *use_block(Builder *b, const BlockDef *def, const Arguments *args, const char *path,
                  const char *first, Span span, Tensor *x)
{
    BlockState *state = map_get(&b->blocks, def->name);
    if (state->cyclic || def->broken || !expand(b, span))
        return NULL;
    Frame *caller = b->frame;
    Instance *instance = NEW(Instance);
    *instance = (Instance){b->instance, format("block %s", def->name), path, -1, span};
    first = first != NULL ? first : first_path(caller, path);
    b->frame = new_frame(path, def);
    b->frame->first = first;
    b->instance = instance;
    open_scope(b);
    bool bound = bind_parameters(b, def, args, span, caller);
    state->used |= bound && x != NULL;
    Tensor *y = bound && x != NULL ? walk_block(b, def, x, span) : NULL;
    b->frame = caller;
    b->instance = instance->outer;
    return y;
}

/* ----------------------------------------------------------- unused ones */

static void check_unused(Builder *b, const BlockDef *def)
{
    Int wanted;
    b->frame = new_frame("", def);
    b->paths = (Map){0};
    open_scope(b);
    for (int i = 0; i < def->params.count; i++) {
        const Param *param = &def->params.items[i];
        if (param->value != NULL)
            default_value(b, param);
        bind_value(b, param->name, param->span, (Value){.kind = VALUE_UNKNOWN});
    }
    for (const ShapeExpr *shape = def->in; shape != NULL; shape = shape->next) {
        match_shape(b, shape, NULL, true, &wanted);
        declare_input(b, shape, NULL);
    }
    walk_statements(b, def->body, NULL);
    for (const ShapeExpr *shape = def->out; shape != NULL; shape = shape->next)
        match_shape(b, shape, NULL, false, &wanted);
}

void check_unused_blocks(Builder *b)
{
    b->unexpanded = true;
    for (int i = 0; i < b->program->blocks.count && !b->stopped; i++) {
        const BlockState *state = map_get(&b->blocks, b->program->blocks.items[i]->name);
        if (!state->used && !state->cyclic && !state->def->broken)
            check_unused(b, state->def);
    }
}
