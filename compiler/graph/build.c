/* build.c: from the AST to the typed graph, in one walk.
 *
 * The walk carries the current tensor from statement to statement, expands
 * blocks, loops and ifs as it meets them, and lets every operator infer its
 * shape at once, so each fault is found where it is with all that led to it at
 * hand.  There is no separate type: a shape is checked because it is computed.
 *
 * Requires: a parsed program.  Makes: the forward nodes in order of expansion,
 * the parameters in the order of PyTorch's state_dict, the train section's
 * settings and loss.  After a fault the walk goes on with an unknown tensor
 * (NULL), so names and arguments are still checked downstream, and nothing else.
 */
#include "graph/build.h"

#include <stdarg.h>
#include <string.h>

/* --------------------------------------------------------------- limits */

void stop(Builder *b, Span span, const char *message, ...)
{
    char text[512];
    va_list values;
    va_start(values, message);
    vsnprintf(text, sizeof text, message, values);
    va_end(values);
    if (!b->stopped)
        build_error(b, "too-large", span, "%s", text);
    b->stopped = true;
}

bool expand(Builder *b, Span span)
{
    if (++b->expansions > MAX_EXPANSIONS)
        stop(b, span, "more than %d turns of loops and uses of blocks", MAX_EXPANSIONS);
    return !b->stopped;
}

/* -------------------------------------------------------- one of several */

/* Whether they are what the block begins with: one of its named inputs is among them. */
static bool is_at_begin(Builder *b, Tensor *x)
{
    for (const ShapeExpr *in = b->frame->def->in; in != NULL; in = in->next) {
        const TensorName *name = in->name != NULL ? find_tensor(b, in->name) : NULL;
        for (int i = 0; name != NULL && i < x->parts.count; i++)
            if (name->tensor == x->parts.items[i])
                return true;
    }
    return false;
}

Tensor *one_tensor(Builder *b, Tensor *x, Span at, const char *taker)
{
    if (x == NULL || x->role != TENSOR_SEVERAL)
        return x;
    Diagnostic *d = build_error(b, "several-tensors", at, "%s one tensor, and here are %d: %s",
                                taker, x->parts.count, carried_text(x));
    const ShapeExpr *in = b->frame->def != NULL ? b->frame->def->in : NULL;
    const TensorName *first = in != NULL && in->name != NULL ? find_tensor(b, in->name) : NULL;
    if (first != NULL && first->tensor == x->parts.items[0])
        diag_help(d, "`from %s` goes on from one of the block's inputs; a join takes all of them",
                  in->name);
    else if (in != NULL && in->next != NULL && in->name == NULL && is_at_begin(b, x))
        diag_help(d,
                  "name the first in the block's signature, as `%s as x`, and begin with "
                  "`from x`: a join takes all of them",
                  span_text(in->span));
    else
        diag_help(d, "name them where they come from, `as (left, right)`: `from left` goes on from "
                     "one, and a join takes all of them");
    return NULL;
}

/* --------------------------------------------------------------- layers */

/* False, reported, when one of the node's tensors is larger than any can be. */
static bool size_fits(const Node *node, const char *what, Shape shape)
{
    Int elements;
    int culprit;
    if (shape.rank == 0 || count_elements(shape.rank, shape.dim, &elements, &culprit))
        return true;
    Diagnostic *d =
        node_error(node, "too-large", node->span, "%s of %s is too large: %s values per image",
                   what, node->path, product_text(shape.rank, shape.dim));
    caption_factor(d, shape.dim, culprit);
    if (first_input(node) != NULL)
        node_derivation(d, first_input(node));
    return false;
}

static bool sizes_fit(const Node *node)
{
    for (int i = 0; i < node->parameters.count; i++)
        if (node->parameters.items[i]->elements == 0)
            return false;
    return size_fits(node, "the output", node->out_shape)
           && size_fits(node, "the working memory", node->aux_shape)
           && size_fits(node, "the statistics",
                        shape_of(node->statistics_size > 0, node->statistics_size, 1, 1));
}

/* A view is its input's memory under another shape. */
static void add_output(Graph *graph, Node *node)
{
    node->out = new_tensor(graph, TENSOR_ACTIVATION, node->path, node->out_shape);
    node->out->producer = node;
    if ((node->op->traits & OP_WHOLE) && !node->parameters.count)
        node->out->choices = node->inputs.items[0]->choices;
    if (node->op->traits & OP_VIEW)
        make_view(node->out, node->inputs.items[0]->base, node->inputs.items[0]->offset);
    add_aux(graph, node);
    if (node->statistics_size > 0) {
        node->statistics = new_tensor(graph, TENSOR_STATISTICS, format("%s statistics", node->path),
                                      shape_of(1, node->statistics_size, 1, 1));
        node->statistics->producer = node;
    }
}

/* The tensors that arguments name are inputs, too, behind those that the node was given. */
static void add_named_inputs(Node *node)
{
    for (int i = 0; node->op->args != NULL && node->op->args[i].name != NULL; i++)
        for (int k = 0; node->op->args[i].kind == ARG_TENSORS && k < node->args[i].count; k++)
            push(&node->inputs, node->args[i].tensors[k]);
}

static Tensor *add_sharing_node(Builder *b, const Operator *op, ArgValue *args,
                                Tensor *const *inputs, int count, const char *path, Span span,
                                const Sharing *sharing)
{
    if (++b->layers > MAX_LAYERS) {
        stop(b, span, "the network has more than %d layers", MAX_LAYERS);
        return NULL;
    }
    if ((op->traits & OP_DEFINED) && !(op = defined_operator(b, op, args, span)))
        return NULL;
    Node *node = new_node(b->graph, STAGE_FORWARD, op);
    node->path = path;
    node->span = span;
    node->instance = b->instance;
    node->args = args;
    for (int i = 0; i < count; i++)
        push(&node->inputs, inputs[i]);
    add_named_inputs(node);
    if (!infer_node(node) || !parametrize_weight(node) || !sizes_fit(node)
        || !share_parameters(b, node, sharing))
        return NULL;
    for (int i = 0; i < node->parameters.count; i++) {
        Parameter *parameter = node->parameters.items[i];
        if (parameter->kind == PARAMETER_CONSTANT || !owns_parameter(node, parameter))
            continue;
        if (parameter->sources[0])
            push(&b->graph->derived, parameter);
        else
            push(&b->graph->parameters, parameter);
    }
    add_output(b->graph, node);
    map_set(&b->layers_by_path, path, node);
    return node->out;
}

static Tensor *add_node(Builder *b, const Operator *op, ArgValue *args, Tensor *const *inputs,
                        int count, const char *path, Span span)
{
    return add_sharing_node(b, op, args, inputs, count, path, span, NULL);
}

Tensor *add_layer(Builder *b, const Operator *op, ArgValue *args, Tensor *x, const char *path,
                  Span span, const Sharing *sharing)
{
    return add_sharing_node(b, op, args, &x, 1, path, span, sharing);
}

/* ---------------------------------------------------------------- bodies */

static Tensor *walk_stmt(Builder *b, const Stmt *stmt, Tensor *x);
static Tensor *finish_stmt(Builder *b, const Stmt *stmt, Name name, Tensor *y);

Tensor *walk_statements(Builder *b, const Body *body, Tensor *x)
{
    if (++b->levels > MAX_LEVELS)
        stop(b, body->open, "blocks and braces are nested more than %d levels deep", MAX_LEVELS);
    for (int i = 0; i < body->stmts.count && !b->stopped && !diag_surprised(); i++) {
        b->after_branch = i > 0 && body->stmts.items[i - 1]->kind == STMT_BRANCH;
        x = walk_stmt(b, body->stmts.items[i], x);
    }
    b->levels--;
    return b->stopped ? NULL : x;
}

static Tensor *walk_body(Builder *b, const Body *body, Tensor *x)
{
    int outer = open_scope(b);
    Tensor *y = walk_statements(b, body, x);
    close_scope(b, outer);
    return y;
}

/* A body that may not happen, for its names and arguments. */
static void walk_guess(Builder *b, const Body *body)
{
    b->guesses++;
    walk_body(b, body, NULL);
    b->guesses--;
    b->frame->uncertain = true;
}

/* ----------------------------------------------------------------- joins */

static Join *open_join(Builder *b)
{
    Join *join = NEW(Join);
    *join = (Join){b->frame->join, b->serial, b->serial};
    b->frame->join = join;
    return join;
}

static void close_join(Builder *b)
{
    b->frame->join = b->frame->join->outer;
}

void add_input(Inputs *inputs, Tensor *tensor)
{
    inputs->known &= tensor != NULL;
    for (int i = 0; i < (tensor != NULL ? count_carried(tensor) : 1); i++)
        push(&inputs->tensors, tensor != NULL ? carried_part(tensor, i) : NULL);
}

/* What one expansion of a statement made, when somebody asks. */
static void note_use(Builder *b, const Stmt *stmt, const Tensor *x, const Tensor *y, int first)
{
    enum { MAX_NOTED = 100000 };
    if (b->trace == NULL)
        return;
    b->trace->partial = b->trace->stmts.count == MAX_NOTED;
    if (!b->trace->partial)
        push(&b->trace->stmts, ((StmtUse){stmt, x != NULL ? carried_part((Tensor *)x, 0) : NULL,
                                          y != NULL ? carried_part((Tensor *)y, 0) : NULL, x, y,
                                          b->instance, first, b->graph->nodes.count}));
}

/* It had a syntax error: what it makes is unknown. */
static bool is_broken(const Stmt *stmt)
{
    return stmt->kind == STMT_CALL && stmt->call->kind == EXPR_ERROR;
}

static void walk_branch(Builder *b, const Stmt *stmt, Tensor *x, Inputs *inputs)
{
    int first = b->graph->nodes.count;
    Tensor *y = walk_body(b, stmt->body, x);
    note_use(b, stmt, x, y, first);
    add_input(inputs, finish_stmt(b, stmt, (Name){0}, y));
}

void walk_branches(Builder *b, const Stmt *stmt, const char *op, Tensor *x, Inputs *inputs)
{
    Join *join = open_join(b);
    int outer = open_scope(b);
    for (int i = 0;
         i < stmt->body->stmts.count && inputs->tensors.count <= MAX_JOINED && !b->stopped; i++) {
        const Stmt *branch = stmt->body->stmts.items[i];
        join->branch_start = b->serial;
        if (branch->kind == STMT_BRANCH) {
            walk_branch(b, branch, x, inputs);
        } else if (branch->kind == STMT_LET) {
            walk_stmt(b, branch, x);
        } else if (is_broken(branch)) {
            inputs->known = false;
        } else {
            Diagnostic *d = build_error(b, "misplaced-statement", branch->span,
                                        "the braces of %s hold branches", op);
            diag_help(d, branch->kind == STMT_REPEAT
                             ? "each branch is written out; `repeat` may stand within one"
                             : "`branch { … }` around it");
            inputs->known = false;
        }
    }
    close_scope(b, outer);
    close_join(b);
}

/* Of an operator that has arguments besides, a number was perhaps meant for one of them. */
static Tensor *joined_tensor(Builder *b, const Operator *op, const Argument *arg)
{
    const TensorName *named =
        arg->value.kind == VALUE_TEXT ? find_tensor(b, arg->value.word) : NULL;
    if (arg->value.kind == VALUE_TENSOR || arg->value.kind == VALUE_UNKNOWN
        || arg->value.tensor != NULL)
        return arg->value.tensor;
    if (named != NULL)
        return named->tensor;
    if (arg->value.kind == VALUE_WORD || arg->value.kind == VALUE_TEXT)
        report_unknown_tensor(b, arg->value.word, arg->span);
    else {
        Diagnostic *d = build_error(b, "argument-type", arg->span, "%s joins tensors; this is %s",
                                    op->name, value_text(&arg->value));
        if (op->args != NULL)
            diag_help(d, "%s(name, …) of named tensors; arguments have their names: %s=…", op->name,
                      op->args[0].name);
    }
    return NULL;
}

static int count_unnamed(const Arguments *args)
{
    int count = 0;
    for (int i = 0; i < args->count; i++)
        count += args->items[i].name == NULL;
    return count;
}

/* Whether what has no name is neither a tensor's nor unknown. */
static bool has_stray_value(const Arguments *args)
{
    bool stray = false;
    for (int i = 0; i < args->count; i++) {
        ValueKind kind = args->items[i].value.kind;
        bool named = kind == VALUE_TENSOR || kind == VALUE_WORD || kind == VALUE_TEXT;
        stray |= args->items[i].name == NULL && kind != VALUE_UNKNOWN && !named;
    }
    return stray;
}

static void report_count(Builder *b, const Stmt *stmt, const Operator *op, int count)
{
    const char *name = op->name;
    Diagnostic *d = op->joined ? build_error(b, "missing-argument", stmt->call->span,
                                             "%s joins %d tensors, not %d", name, op->joined, count)
                               : build_error(b, "missing-argument", stmt->call->span,
                                             "%s joins two or more tensors", name);
    diag_help(d, "%s { branch { … } branch { … } }, or %s(name, …) with the current tensor first",
              name, name);
}

static bool joins_as_many(const Operator *op, int count)
{
    if (op->traits & OP_DEFINED) /* which says it itself */
        return true;
    return op->joined ? count == op->joined : count >= 2;
}

/* op { branch … } or op(name, …): the names are tensors, what is left are arguments.  Without
 * braces the current tensor is the first, unless names are as many as op takes. */
static Tensor *walk_join(Builder *b, const Stmt *stmt, const Operator *op, const Arguments *args,
                         Tensor *x, Name *name)
{
    bool all_named = op->joined && count_unnamed(args) == op->joined;
    Inputs inputs = {.known = x != NULL || stmt->body != NULL || all_named};
    Arguments rest = {0};
    if (stmt->body != NULL)
        walk_branches(b, stmt, op->name, x, &inputs);
    else if (!all_named)
        add_input(&inputs, x);
    Span first_name = {0};
    for (int i = 0; i < args->count; i++) {
        if (args->items[i].name != NULL) {
            push(&rest, args->items[i]);
            continue;
        }
        first_name = first_name.source == NULL ? args->items[i].span : first_name;
        add_input(&inputs, joined_tensor(b, op, &args->items[i]));
    }
    *name = take_name(b, stmt->as, op->name, stmt->call->span);
    if (has_stray_value(args)) /* told: it may be what is missing among the others */
        return NULL;
    ArgValue *values = resolve_arguments(b, op->name, op->args, &rest, stmt->call->span);
    if (inputs.tensors.count > MAX_JOINED) {
        Diagnostic *d = build_error(b, "too-large", stmt->call->span, "%s joins at most %d tensors",
                                    op->name, MAX_JOINED);
        diag_help(d, "join some of them first, and what that gives with the others");
        return NULL;
    }
    if (stmt->body != NULL && first_name.source != NULL) {
        Diagnostic *d = build_error(b, "misplaced-statement", first_name,
                                    "%s joins branches or named tensors, not both", op->name);
        diag_help(d, "`branch { from name }` is a branch of a named tensor");
        return NULL;
    }
    if (inputs.known && !joins_as_many(op, inputs.tensors.count)) {
        report_count(b, stmt, op, inputs.tensors.count);
        return NULL;
    }
    if (!inputs.known || values == NULL || b->stopped)
        return NULL;
    return add_node(b, op, values, inputs.tensors.items, inputs.tensors.count, name->path,
                    stmt->call->span);
}

/* ----------------------------------------------------------------- skips */

static Tensor *join_pair(Builder *b, const char *op_name, Tensor *first, Tensor *second,
                         const char *path, Span span)
{
    const Operator *op = find_operator(op_name);
    Arguments none = {0};
    Tensor *pair[] = {first, second};
    return add_node(b, op, resolve_arguments(b, op->name, op->args, &none, span), pair, 2, path,
                    span);
}

static const char *axis_difference(Shape a, Shape b)
{
    Text text = {0};
    if (a.rank != b.rank)
        return "different ranks";
    for (int axis = 0; axis < a.rank; axis++)
        if (a.dim[axis] != b.dim[axis])
            text_add(&text, "%s%s %lld and %lld", text.length > 0 ? ", " : "",
                     axis_name(a.rank, axis), a.dim[axis], b.dim[axis]);
    return text_chars(&text);
}

static Tensor *report_skip(Builder *b, const Stmt *stmt, const Tensor *body, const Tensor *other)
{
    const char *way = stmt->other != NULL ? "shortcut" : "skip";
    Diagnostic *d = build_error(b, "add-mismatch", stmt->span,
                                "the body gives %s, but the %s %s: they cannot be added",
                                shape_text(body->shape), way, shape_text(other->shape));
    diag_caption(d, "%s", axis_difference(body->shape, other->shape));
    add_derivation(d, body, b->instance);
    if (stmt->other != NULL)
        add_derivation(d, other, b->instance);
    diag_sizes(d, body->shape, other->shape);
    return NULL;
}

/* "skip" ["if" value] body ["shortcut" body] */
static Tensor *walk_skip(Builder *b, const Stmt *stmt, Tensor *x, Name *name)
{
    int wanted = stmt->value != NULL ? truth(b, stmt->value, "`skip if` takes true or false") : 1;
    if (wanted == 0)
        return walk_body(b, stmt->body, x);
    Join *join = open_join(b);
    Tensor *body = walk_body(b, stmt->body, x), *other = x;
    join->branch_start = b->serial;
    if (stmt->other != NULL)
        other = walk_body(b, stmt->other, x);
    close_join(b);
    if (wanted < 0)
        return NULL;
    *name = take_name(b, stmt->as, "add", stmt->span);
    body = one_tensor(b, body, stmt->span, "a skip's body gives");
    if (body == NULL && stmt->other == NULL)
        return NULL; /* several, if they are, were told there */
    other = one_tensor(b, other, stmt->span, "a skip takes");
    if (body == NULL || other == NULL)
        return NULL;
    if (!shape_equal(body->shape, other->shape))
        return report_skip(b, stmt, body, other);
    return join_pair(b, "add", body, other, name->path, stmt->span);
}

/* ----------------------------------------------------------------- loops */

static Tensor *join_dense(Builder *b, const Stmt *stmt, Tensor *x, Tensor *body)
{
    Shape a = x->shape, y = body->shape, wanted = shape_with(a, 0, -1);
    if (shape_equal(shape_with(y, 0, -1), wanted))
        return join_pair(b, "concat", x, body, take_name(b, NULL, "concat", stmt->span).path,
                         stmt->span);
    Diagnostic *d = build_error(b, "concat-mismatch", stmt->span,
                                "the body of dense gives %s, which cannot be joined to %s",
                                shape_text(y), shape_text(a));
    diag_caption(d, "all axes but the channels must be equal");
    add_derivation(d, body, b->instance);
    diag_sizes(d, y, wanted);
    return NULL;
}

static Tensor *walk_iteration(Builder *b, const Stmt *stmt, Tensor *x, Int k, Value variable)
{
    Instance *instance = NEW(Instance);
    Iteration *iteration = NEW(Iteration);
    bool dense = stmt->kind == STMT_DENSE;
    *instance = (Instance){b->instance, dense ? "dense" : "repeat", NULL, k, stmt->span};
    *iteration = (Iteration){b->frame->iteration, k, false};
    b->instance = instance;
    b->frame->iteration = iteration;
    int outer = open_scope(b);
    if (stmt->variable != NULL)
        bind_value(b, stmt->variable, stmt->variable_span, variable);
    Tensor *y = walk_body(b, stmt->body, x);
    close_scope(b, outer);
    iteration->over = true;
    b->frame->iteration = iteration->outer;
    if (dense) {
        x = one_tensor(b, x, stmt->span, "dense takes");
        y = one_tensor(b, y, stmt->span, "the body of dense gives");
    }
    if (dense && x != NULL && y != NULL)
        y = join_dense(b, stmt, x, y);
    b->instance = instance->outer;
    return y;
}

static Tensor *walk_loop(Builder *b, const Stmt *stmt, Tensor *x)
{
    const char *word = stmt->kind == STMT_DENSE ? "dense" : "repeat";
    Int count;
    if (!whole_number(b, stmt->value, format("%s takes a whole number of turns", word), &count)) {
        b->guesses++;
        walk_iteration(b, stmt, NULL, 0, (Value){.kind = VALUE_UNKNOWN});
        b->guesses--;
        b->frame->uncertain = true;
        return NULL;
    }
    if (count < 0 || count > MAX_LAYERS) {
        Diagnostic *d = build_error(b, count < 0 ? "argument-range" : "too-large",
                                    stmt->value->span, "%s cannot take %lld turns", word, count);
        diag_caption(d, "0 to %d", MAX_LAYERS);
        b->frame->uncertain = true;
        return NULL;
    }
    for (Int k = 0; k < count && expand(b, stmt->span); k++)
        x = walk_iteration(b, stmt, x, k, int_value(k));
    return x;
}

/* -------------------------------------------------------------------- if */

/* `else if` is an else of one if; taken as one level however long the chain. */
static const Stmt *else_if(const Body *body)
{
    const Stmt *stmt = body != NULL && body->stmts.count == 1 ? body->stmts.items[0] : NULL;
    return stmt != NULL && stmt->kind == STMT_IF && stmt->as == NULL && stmt->shape == NULL ? stmt
                                                                                            : NULL;
}

/* "if" value body {"else" "if" value body} ["else" body] */
static Tensor *walk_if(Builder *b, const Stmt *stmt, Tensor *x)
{
    bool guess = false;
    for (;;) {
        int taken = truth(b, stmt->value, "`if` takes true or false");
        guess |= taken < 0;
        if (guess)
            walk_guess(b, stmt->body);
        else if (taken)
            return walk_body(b, stmt->body, x);
        const Stmt *next = else_if(stmt->other);
        if (next == NULL)
            break;
        stmt = next;
    }
    if (guess && stmt->other != NULL)
        walk_guess(b, stmt->other);
    if (guess)
        return NULL;
    return stmt->other != NULL ? walk_body(b, stmt->other, x) : x;
}

/* ----------------------------------------------------------------- calls */

static bool refuse_body(Builder *b, const Stmt *stmt, const char *what)
{
    if (stmt->body == NULL)
        return false;
    Diagnostic *d =
        build_error(b, "misplaced-statement", stmt->body->open, "%s takes no { }", what);
    diag_help(d, "only joining operators do: concat, add, mul");
    return true;
}

static Tensor *report_loss(Builder *b, const Stmt *stmt, const Operator *op)
{
    Diagnostic *d = build_error(b, "misplaced-statement", stmt->call->span,
                                "%s is a loss, not a layer", op->name);
    diag_help(d, "write `loss %s` in the train section", op->name);
    return NULL;
}

/* An unknown input whose channels are asserted (in_channels=88) is known well
 * enough for the faults that have nothing to do with its size: groups that do
 * not divide.  The node is not the graph's. */
static void check_asserted(const Builder *b, const Operator *op, ArgValue *args, const char *path,
                           Span span)
{
    enum { AMPLE = 1 << 15 }; /* rows and columns, for any window */
    Graph nowhere = {0};
    bool divides = role_arg(op, ROLE_GROUPS) >= 0;
    for (int i = 0; divides && op->args[i].name != NULL; i++) {
        if (!op->args[i].assertion || !args[i].given)
            continue;
        Node *node = new_node(&nowhere, STAGE_FORWARD, op);
        node->path = path;
        node->span = span;
        node->instance = b->instance;
        node->args = args;
        push(&node->inputs, new_tensor(&nowhere, TENSOR_ACTIVATION, "input",
                                       shape_of(3, args[i].integer[0], AMPLE, AMPLE)));
        infer_node(node);
    }
}

/* It goes on from nothing, as `from` does.  In a block that nothing uses there are no shapes. */
static Tensor *walk_source(Builder *b, const Operator *op, ArgValue *args, const char *path,
                           Span span)
{
    if (args == NULL || b->guesses > 0 || b->unexpanded)
        return NULL;
    return add_node(b, op, args, NULL, 0, path, span);
}

static const Layer *new_layer(Layer layer)
{
    Layer *made = NEW(Layer);
    *made = layer;
    return made;
}

static Tensor *walk_operator(Builder *b, const Stmt *stmt, const Value *callee,
                             const Arguments *args, Tensor *x, Name *name)
{
    const Operator *op = callee->op;
    Span span = stmt->call->span;
    Sharing sharing = {.named = stmt->as != NULL};
    args = take_ties(b, op, args, &sharing);
    ArgValue *values = resolve_arguments(b, op->name, op->args, args, span);
    if (sharing.broken || values == NULL)
        return NULL;
    if (op->traits & OP_SOURCE)
        return walk_source(b, op, values, name->path, span);
    name->layer = new_layer((Layer){.path = name->path, .op = op, .args = values});
    bool unknown = x == NULL;
    x = one_tensor(b, x, span, format("%s takes", op->name));
    if (unknown) {
        check_asserted(b, op, values, name->path, span);
        return NULL;
    }
    if (x == NULL)
        return NULL;
    return add_layer(b, op, values, x, name->path, span, &sharing);
}

/* Whether an operator that takes one tensor or several is given several here: branches, named
 * tensors, or more values without a name than it has arguments for. */
static bool joins_here(const Operator *op, const Stmt *stmt, const Arguments *args)
{
    int positional = 0;
    bool named = false;
    if (!(op->traits & OP_ALSO_JOINS))
        return op->traits & OP_JOINS;
    while (op->args[positional].positional)
        positional++;
    for (int i = 0; i < args->count; i++)
        named |= args->items[i].name == NULL && args->items[i].value.kind == VALUE_TENSOR;
    return stmt->body != NULL || named || count_unnamed(args) > positional;
}

/* NAME ["(" [arg {"," arg}] ")"] [body] */
static Tensor *walk_call(Builder *b, const Stmt *stmt, Tensor *x, Name *name)
{
    const Expr *call = stmt->call;
    b->frame->broken |= is_broken(stmt) && stmt->as == NULL;
    Value callee = find_callee(b, call);
    const Arguments *args = evaluate_arguments(b, &call->arguments);
    if (callee.kind != VALUE_APPLIES) {
        b->frame->uncertain |= stmt->body != NULL;
        return NULL;
    }
    args = joined_arguments(callee.bound, args);
    if (callee.op != NULL && joins_here(callee.op, stmt, args))
        return walk_join(b, stmt, callee.op, args, x, name);
    if (callee.op != NULL && (callee.op->traits & OP_LOSS))
        return report_loss(b, stmt, callee.op);
    *name = take_name(b, stmt->as, callee.word, call->span);
    bool several = callee.block != NULL && count_shapes(callee.block->in) > 1;
    bool refused = !several && refuse_body(b, stmt, callee.word);
    if (several)
        x = gather_inputs(b, stmt, callee.block, &args, x);
    if (callee.block != NULL) {
        name->layer = new_layer((Layer){.path = name->path, .block = callee.block, .given = args});
        return use_block(b, callee.block, args, name->path, NULL, call->span, refused ? NULL : x);
    }
    return walk_operator(b, stmt, &callee, args, refused ? NULL : x, name);
}

/* ----------------------------------------------------------------- input */

static bool input_dims(Builder *b, const ShapeExpr *shape, Int *dims)
{
    bool good = true;
    if (shape->dims.count > MAX_RANK) {
        Diagnostic *d = build_error(b, "shape-rank", shape->span,
                                    "an input has one to four axes, not %d", shape->dims.count);
        diag_help(d, "[features], [steps, features], [channels, height, width] or "
                     "[channels, depth, height, width]");
        return false;
    }
    for (int i = 0; i < shape->dims.count; i++) {
        const Expr *dim = shape->dims.items[i];
        if (!whole_number(b, dim, "a dimension is a whole number", &dims[i])) {
            good = false;
        } else if (dims[i] < 1) {
            build_error(b, "not-a-dimension", dim->span, "a dimension is at least 1, not %lld",
                        dims[i]);
            good = false;
        }
    }
    return good;
}

/* ["of" value]: whole numbers below it. */
static bool input_choices(Builder *b, const Stmt *stmt, Int *choices)
{
    enum { MAX_CHOICES = 1 << 24 }; /* which a float holds exactly */
    if (stmt->value == NULL)
        return true;
    if (strcmp(stmt->variable, "of") != 0) {
        Diagnostic *d = build_error(b, "syntax", stmt->variable_span,
                                    "`%s` cannot follow an input's shape", stmt->variable);
        diag_help(d, "`input [256] of 65` is of whole numbers from 0 to 64");
        return false;
    }
    if (!whole_number(b, stmt->value, "how many whole numbers there are is one itself", choices))
        return false;
    if (*choices >= 1 && *choices <= MAX_CHOICES)
        return true;
    Diagnostic *d = build_error(b, "argument-range", stmt->value->span,
                                "an input of whole numbers below %lld", *choices);
    diag_caption(d, "1 to %d", MAX_CHOICES);
    return false;
}

static Tensor *add_input_tensor(Builder *b, const Stmt *stmt)
{
    Int dims[MAX_RANK], elements, choices = 0;
    int culprit, rank = stmt->shape->dims.count;
    if (!input_dims(b, stmt->shape, dims) || !input_choices(b, stmt, &choices))
        return NULL;
    if (!count_elements(rank, dims, &elements, &culprit)) {
        Diagnostic *d =
            build_error(b, "too-large", stmt->shape->dims.items[culprit]->span,
                        "the input is too large: %s values per image", product_text(rank, dims));
        caption_factor(d, dims, culprit);
        return NULL;
    }
    Tensor *input = new_tensor(b->graph, TENSOR_INPUT, "input", shape_from(rank, dims));
    input->choices = choices;
    input->span = stmt->shape->span;
    return input;
}

/* A network that has several names each. */
static void check_input_names(Builder *b)
{
    const Graph *graph = b->graph;
    const Input *first = &graph->inputs.items[0],
                *last = &graph->inputs.items[graph->inputs.count - 1];
    bool named = last->name != NULL, known = first->tensor != NULL && last->tensor != NULL;
    if (!known || graph->inputs.count < 2
        || (named && (first->name != NULL || graph->inputs.count > 2)))
        return;
    Diagnostic *d = build_error(b, "missing-argument", named ? first->span : last->span,
                                "a network with several inputs names each of them");
    diag_label(d, named ? last->span : first->span,
               named || first->name != NULL ? "another input" : "nor has this one a name");
    diag_help(d, "`%s as NAME`: `from NAME` goes on from it",
              span_text(named ? first->span : last->span));
}

static void name_input(const Input *input)
{
    input->tensor->name = input->name;
    input->tensor->several = true;
}

/* "input" shape ["of" value] ["as" name]: a chain of its own begins. */
static Tensor *walk_input(Builder *b, const Stmt *stmt, Tensor *x, Name *name)
{
    Graph *graph = b->graph;
    if (b->frame != b->network || b->levels > 1) {
        Diagnostic *d = build_error(
            b, "misplaced-statement", stmt->span,
            b->frame != b->network ? "`input` stands in the network, not in a block"
                                   : "`input` stands in the network itself, in no other braces");
        if (b->frame != b->network)
            diag_help(d, "a block's input is in its signature: block NAME [c, h, w] { … }");
        return x;
    }
    if (graph->inputs.count == MAX_INPUTS) {
        build_error(b, "too-large", stmt->span, "a network has at most %d inputs", MAX_INPUTS);
        return NULL;
    }
    if (stmt->as != NULL)
        *name = take_name(b, stmt->as, "input", stmt->span);
    Tensor *input = add_input_tensor(b, stmt);
    push(&graph->inputs, ((Input){name->local, input, stmt->span, 0}));
    if (graph->inputs.count == 1) {
        b->input_seen = true;
        graph->input_span = stmt->shape->span;
        graph->input = input;
    }
    for (int i = 0; graph->inputs.count > 1 && i < graph->inputs.count; i++)
        if (graph->inputs.items[i].tensor != NULL && graph->inputs.items[i].name != NULL)
            name_input(&graph->inputs.items[i]);
    check_input_names(b);
    return input;
}

static bool is_read(const Graph *graph, const Tensor *tensor)
{
    bool read = false;
    for (int i = 0; i < graph->outputs.count; i++)
        read |= graph->outputs.items[i].tensor == tensor;
    for (int i = 0; i < graph->nodes.count; i++)
        for (int k = 0; k < graph->nodes.items[i]->inputs.count; k++)
            read |= graph->nodes.items[i]->inputs.items[k] == tensor;
    return read;
}

/* Whoever writes all inputs first goes on from the last of them without noticing. */
static void check_inputs_read(Builder *b)
{
    const Graph *graph = b->graph;
    if (graph->inputs.count < 2 || diag_error_count() > 0)
        return;
    for (int i = 0; i < graph->inputs.count; i++) {
        const Input *input = &graph->inputs.items[i];
        if (is_read(graph, input->tensor))
            continue;
        Diagnostic *d =
            build_error(b, "unread-input", input->span, "nothing reads the input %s", input->name);
        if (i + 1 < graph->inputs.count)
            diag_label(d, graph->inputs.items[i + 1].span,
                       "from here on the current tensor is this one");
        diag_help(d,
                  "`from %s` goes on from it; as an argument, concat(%s) joins it to the "
                  "current tensor",
                  input->name, input->name);
    }
}

static void report_no_input(Builder *b, Span at)
{
    b->input_seen = true;
    Diagnostic *d = build_error(b, "no-input", at, "a network begins with its input");
    diag_help(d, "`input [1, 28, 28]`: channels, height, width");
}

/* ------------------------------------------------------------ statements */

static const char *statement_subject(const Stmt *stmt)
{
    return stmt->kind == STMT_CALL ? stmt->call->word : span_text(stmt->keyword);
}

/* "[512]", "[_, 4, 4]": what was asserted, computed. */
static const char *asserted_text(Builder *b, const ShapeExpr *shape)
{
    Text text = {0};
    for (int i = 0; i < shape->dims.count; i++) {
        Int number;
        const char *before = i > 0 ? ", " : "";
        if (shape->dims.items[i]->kind == EXPR_ANY)
            text_add(&text, "%s_", before);
        else if (whole_number(b, shape->dims.items[i], "", &number))
            text_add(&text, "%s%lld", before, number);
    }
    return format("[%s]", text_chars(&text));
}

/* The same as a shape; -1 where anything may stand. */
static Shape asserted_shape(Builder *b, const ShapeExpr *shape)
{
    int rank = shape->dims.count <= MAX_RANK ? shape->dims.count : MAX_RANK;
    Shape asserted = {.rank = rank, .dim = {1, 1, 1, 1}};
    for (int i = 0; i < asserted.rank; i++)
        if (shape->dims.items[i]->kind == EXPR_ANY
            || !whole_number(b, shape->dims.items[i], "", &asserted.dim[i]))
            asserted.dim[i] = -1;
    return asserted;
}

/* Like add_derivation, from before the statement that made `tensor`. */
static void derive_before(Builder *b, Diagnostic *d, const Stmt *stmt, const Tensor *tensor)
{
    const Node *node = tensor->producer;
    bool this_statement = node != NULL && node->instance == b->instance && stmt->kind == STMT_CALL
                          && node->span.line == stmt->call->span.line
                          && node->span.column == stmt->call->span.column;
    const Tensor *before = this_statement ? first_input(node) : tensor;
    if (before != NULL)
        add_derivation(d, before, b->instance);
}

static void report_shape(Builder *b, const Stmt *stmt, const ShapeExpr *shape, const Tensor *y,
                         int axis, Int wanted)
{
    bool rows = y->shape.rank == 1 && shape->dims.count == 1;
    const char *subject = statement_subject(stmt), *arithmetic = flatten_arithmetic(y);
    Diagnostic *d =
        rows ? build_error(b, "shape-assert", shape->span, "%s gives %lld values, not %lld",
                           subject, y->shape.dim[0], wanted)
             : build_error(b, "shape-assert", shape->span, "%s gives %s, not %s", subject,
                           shape_text(y->shape), asserted_text(b, shape));
    if (arithmetic != NULL)
        diag_caption(d, "%s", arithmetic);
    else
        diag_caption(d, "%s", shape_difference(shape, y->shape, axis, wanted));
    derive_before(b, d, stmt, y);
    diag_sizes(d, y->shape, asserted_shape(b, shape));
}

static Tensor *report_shapes(Builder *b, const Stmt *stmt, const Tensor *y)
{
    Diagnostic *d =
        build_error(b, "shape-assert", shapes_span(stmt->shape), "%s gives %s, not %s",
                    statement_subject(stmt), carried_text(y), span_text(shapes_span(stmt->shape)));
    diag_caption(d, "%d %s, not %d", count_carried(y), count_carried(y) == 1 ? "tensor" : "tensors",
                 count_shapes(stmt->shape));
    return NULL;
}

/* "->" shape {"," shape} */
static Tensor *check_shape(Builder *b, const Stmt *stmt, Tensor *y)
{
    bool good = true;
    if (y != NULL && count_carried(y) != count_shapes(stmt->shape))
        return report_shapes(b, stmt, y);
    int i = 0;
    for (const ShapeExpr *shape = stmt->shape; shape != NULL; shape = shape->next, i++) {
        Int wanted;
        Tensor *part = y != NULL ? carried_part(y, i) : NULL;
        int axis = match_shape(b, shape, part, false, &wanted);
        if (axis >= 0)
            report_shape(b, stmt, shape, part, axis, wanted);
        good &= axis == -1;
    }
    return good ? y : NULL;
}

static Tensor *walk_let(Builder *b, const Stmt *stmt, Tensor *x)
{
    Value value = evaluate(b, stmt->value);
    if (value.kind == VALUE_WORD) {
        report_unknown_word(b, value.word, stmt->value->span);
        value = (Value){.kind = VALUE_UNKNOWN};
    }
    bind_value(b, stmt->variable, stmt->variable_span, value);
    return x;
}

/* "output" name */
static Tensor *walk_output(Builder *b, const Stmt *stmt, Tensor *x)
{
    const char *path = output_path(b, stmt->from);
    Tensor *output = one_tensor(b, x, stmt->span, "an output is");
    if (path == NULL || output == NULL)
        return x;
    for (int i = 0; i < b->graph->outputs.count; i++) {
        const Output *other = &b->graph->outputs.items[i];
        if (other->name != intern(path))
            continue;
        Diagnostic *d =
            build_error(b, "duplicate-name", stmt->from->span, "two outputs are named %s", path);
        diag_label(d, other->span, "the first");
        return x;
    }
    if (b->graph->outputs.count == MAX_OUTPUTS) {
        build_error(b, "too-large", stmt->span, "a network names at most %d outputs", MAX_OUTPUTS);
        return x;
    }
    push(&b->graph->outputs, ((Output){.name = intern(path),
                                       .tensor = output,
                                       .span = stmt->from->span,
                                       .aside = b->asides > 0}));
    return x;
}

/* "aside" body: goes on with what it began with. */
static Tensor *walk_aside(Builder *b, const Stmt *stmt, Tensor *x)
{
    b->asides++;
    walk_body(b, stmt->body, x);
    b->asides--;
    return x;
}

/* Branches one after the other lack the same braces: one error. */
static Tensor *walk_stray_branch(Builder *b, const Stmt *stmt)
{
    if (!b->after_branch && !b->misread) { /* else braces may be the fault */
        Diagnostic *d = build_error(b, "misplaced-statement", stmt->keyword,
                                    "a branch stands in the braces of a joining operator");
        diag_help(d, "concat { branch { … } branch { … } }");
    }
    walk_body(b, stmt->body, NULL);
    return NULL;
}

static Tensor *walk_kind(Builder *b, const Stmt *stmt, Tensor *x, Name *name)
{
    switch (stmt->kind) {
    case STMT_LET:
        return walk_let(b, stmt, x);
    case STMT_INPUT:
        return walk_input(b, stmt, x, name);
    case STMT_CALL:
        return walk_call(b, stmt, x, name);
    case STMT_FROM:
        return stmt->from->kind == EXPR_LIST ? walk_from_several(b, stmt->from)
                                             : named_tensor(b, stmt->from);
    case STMT_REUSE:
        return walk_reuse(b, stmt, x, name);
    case STMT_OUTPUT:
        return walk_output(b, stmt, x);
    case STMT_ASIDE:
        return walk_aside(b, stmt, x);
    case STMT_BRANCH:
        return walk_stray_branch(b, stmt);
    case STMT_SKIP:
        return walk_skip(b, stmt, x, name);
    case STMT_DENSE:
    case STMT_REPEAT:
        return walk_loop(b, stmt, x);
    case STMT_IF:
        return walk_if(b, stmt, x);
    }
    unreachable();
}

/* ["as" name] ["->" shape]; what no layer took as its name is named here:
 * `repeat … as tail`, `input … as x`. */
static Tensor *finish_stmt(Builder *b, const Stmt *stmt, Name name, Tensor *y)
{
    if (name.path == NULL && stmt->as != NULL)
        name = take_name(b, stmt->as, statement_subject(stmt), stmt->span);
    if (stmt->shape != NULL && stmt->kind != STMT_INPUT)
        y = check_shape(b, stmt, y);
    declare_tensor(b, &name, y);
    if (stmt->names.count > 0)
        name_results(b, stmt, y);
    return y;
}

static Tensor *walk_stmt(Builder *b, const Stmt *stmt, Tensor *x)
{
    Name name = {0};
    if (b->trace != NULL)
        b->trace->steps++;
    if (++b->steps > MAX_STEPS) {
        stop(b, stmt->span, "the network takes more than %d steps to expand", MAX_STEPS);
        return NULL;
    }
    bool before_input = !b->input_seen && b->frame == b->network && stmt->kind != STMT_LET
                        && stmt->kind != STMT_INPUT;
    if (before_input && is_broken(stmt))
        b->input_seen = true; /* it may be what could not be read */
    else if (before_input)
        report_no_input(b, stmt->span);
    int first = b->graph->nodes.count;
    Tensor *y = walk_kind(b, stmt, x, &name);
    note_use(b, stmt, x, y, first);
    return finish_stmt(b, stmt, name, y);
}

/* --------------------------------------------------------------- program */

static void report_no_layers(Builder *b, const NetworkDef *network)
{
    const Input *last = &b->graph->inputs.items[b->graph->inputs.count - 1];
    if (b->graph->inputs.count == 1) {
        build_error(b, "no-network", network->name_span, "network %s has no layers", network->name);
        return;
    }
    Diagnostic *d = build_error(b, "unread-input", last->span,
                                "network %s ends with its input %s, which nothing reads",
                                network->name, last->name);
    diag_help(d, "an input begins a chain of its own: what reads it stands behind it");
}

static void walk_network(Builder *b, const NetworkDef *network)
{
    b->network = b->frame = new_frame("", NULL);
    open_scope(b);
    Tensor *last = walk_statements(b, network->body, NULL);
    b->graph->output = one_tensor(b, last, network->name_span, "a network's output is");
    if (!b->input_seen)
        report_no_input(b, network->name_span);
    else if (b->graph->output != NULL && b->graph->output->role == TENSOR_INPUT
             && diag_error_count() == 0)
        report_no_layers(b, network);
    check_inputs_read(b);
}

Builder new_builder(const Program *program, Graph *graph, Trace *trace)
{
    return (Builder){.program = program,
                     .graph = graph,
                     .trace = trace,
                     .mentions = new_mentions(),
                     .misread = diag_error_count() > 0};
}

Graph *build_graph(const Program *program)
{
    return build_traced(program, NULL);
}

Graph *build_traced(const Program *program, Trace *trace)
{
    if (program->network == NULL)
        return NULL;
    Graph *graph = NEW(Graph);
    graph->name = program->network->name;
    graph->program = program;
    if (trace != NULL)
        trace->graph = graph;
    Builder b = new_builder(program, graph, trace);
    enter_blocks(&b);
    enter_functions(&b);
    graph->functions = b.functions;
    walk_network(&b, program->network);
    check_unused_blocks(&b);
    resolve_training(graph);
    if (diag_error_count() > 0)
        return NULL;
    place_inputs(graph);
    warn_of_layers(graph);
    warn_of_definitions(&b);
    return graph;
}

void check_library(const Program *program, Trace *trace)
{
    Graph *graph = NEW(Graph);
    graph->program = program;
    Builder b = new_builder(program, graph, trace);
    enter_blocks(&b);
    enter_functions(&b);
    check_unused_blocks(&b);
    if (program->train != NULL && !program->broken)
        diag(SEVERITY_ERROR, "no-network", program->train->span,
             "a train section without a network");
    if (diag_error_count() == 0)
        warn_of_definitions(&b);
}
