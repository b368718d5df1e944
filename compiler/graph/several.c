/* several.c: chains that carry several tensors.
 *
 * A block may take several and give several.  What it gives goes on as it is: into another block
 * that takes as many, into a join, or one by one under the names that `as (left, right)` gives.
 * `from (left, right)` brings named ones together.  Whatever takes one tensor refuses several.
 */
#include "graph/build.h"

Tensor *carry(Tensor *const *tensors, int count)
{
    Tensor *several = make_tensor(-1, TENSOR_SEVERAL, "several", (Shape){0});
    for (int i = 0; i < count; i++) {
        if (tensors[i] == NULL)
            return NULL;
        push(&several->parts, tensors[i]);
    }
    return count == 1 ? tensors[0] : several;
}

/* Each of them; what is several itself gives all of its own. */
Tensor *walk_from_several(Builder *b, const Expr *names)
{
    Inputs inputs = {.known = true};
    for (int i = 0; i < names->items.count; i++)
        add_input(&inputs, named_tensor(b, names->items.items[i]));
    if (inputs.tensors.count <= MAX_JOINED)
        return inputs.known ? carry(inputs.tensors.items, inputs.tensors.count) : NULL;
    build_error(b, "too-large", names->span, "a chain carries at most %d tensors", MAX_JOINED);
    return NULL;
}

/* ----------------------------------------------------- a block's inputs */

typedef struct Given {
    Tensor *slots[MAX_JOINED]; /* by the input's name, `right=x` */
    bool taken[MAX_JOINED];
    int by_name;
    Inputs named; /* those without one, in their order */
} Given;

/* Which of the block's inputs has that name; -1: none. */
static int input_number(const BlockDef *def, const char *name)
{
    const ShapeExpr *shape = def->in;
    for (int i = 0; shape != NULL && i < MAX_JOINED; shape = shape->next, i++)
        if (shape->name == name)
            return i;
    return -1;
}

/* Whether the argument is a tensor: *tensor, NULL where unknown. */
static bool is_tensor(Builder *b, const Argument *arg, Tensor **tensor)
{
    const TensorName *named = arg->value.kind == VALUE_TEXT && arg->value.tensor == NULL
                                  ? find_tensor(b, arg->value.word)
                                  : NULL;
    *tensor = named != NULL ? named->tensor : arg->value.tensor;
    return named != NULL || arg->value.kind == VALUE_TENSOR || arg->value.tensor != NULL;
}

/* A word that names nothing, where the block's parameters are all given. */
static bool is_unknown_tensor(const BlockDef *def, const Argument *arg, int positional)
{
    return arg->name == NULL && positional >= def->params.count
           && (arg->value.kind == VALUE_WORD || arg->value.kind == VALUE_TEXT);
}

static void give_slot(Builder *b, Given *given, int slot, const Argument *arg, Tensor *tensor)
{
    if (given->taken[slot])
        build_error(b, "duplicate-argument", arg->name_span, "the input %s is given twice",
                    arg->name);
    given->by_name += !given->taken[slot];
    given->taken[slot] = true;
    given->slots[slot] = tensor;
}

/* Whether tensors without names are arguments as others are: braces or the chain give all that the
 * block takes, and its parameters are as many. */
static bool are_parameters(const Stmt *stmt, const BlockDef *def, const Arguments *args, Tensor *x)
{
    int positional = 0;
    bool whole = stmt->body != NULL || (x != NULL && count_carried(x) == count_shapes(def->in));
    for (int i = 0; i < args->count; i++)
        positional += args->items[i].name == NULL;
    return whole && positional <= def->params.count;
}

/* Takes the tensors out of the arguments; `unnamed`: those without names, too. */
static const Arguments *take_tensors(Builder *b, const BlockDef *def, const Arguments *args,
                                     bool unnamed, Given *given)
{
    Arguments *rest = NEW(Arguments);
    int positional = 0;
    for (int i = 0; i < args->count; i++) {
        const Argument *arg = &args->items[i];
        int slot = arg->name != NULL ? input_number(def, arg->name) : -1;
        Tensor *tensor;
        bool is = is_tensor(b, arg, &tensor);
        if (slot >= 0 && (is || arg->value.kind == VALUE_UNKNOWN)) {
            give_slot(b, given, slot, arg, tensor);
        } else if (is && arg->name == NULL && unnamed) {
            add_input(&given->named, tensor);
        } else if (is_unknown_tensor(def, arg, positional)) {
            report_unknown_tensor(b, arg->value.word, arg->span);
            add_input(&given->named, NULL);
        } else {
            positional += arg->name == NULL;
            push(rest, *arg);
        }
    }
    return rest;
}

/* In the order of the signature: those with names where they belong, the others in between. */
static void fill_slots(const BlockDef *def, const Given *given, const Inputs *others, Inputs *all)
{
    int next = 0, takes = count_shapes(def->in);
    for (int i = 0; i < takes && i < MAX_JOINED; i++)
        if (given->taken[i])
            add_input(all, given->slots[i]);
        else if (next < others->tensors.count)
            add_input(all, others->tensors.items[next++]);
    while (next < others->tensors.count)
        add_input(all, others->tensors.items[next++]);
}

/* Without braces the chain comes first, unless the names are as many as the block takes.  Where the
 * chain carries all of them, tensors are arguments for its parameters. */
Tensor *gather_inputs(Builder *b, const Stmt *stmt, const BlockDef *def, const Arguments **args,
                      Tensor *x)
{
    Given *given = NEW(Given);
    Inputs others = {.known = true}, all = {.known = true};
    given->named.known = true;
    *args = take_tensors(b, def, *args, !are_parameters(stmt, def, *args, x), given);
    int tensors = given->named.tensors.count + given->by_name;
    if (stmt->body != NULL)
        walk_branches(b, stmt, def->name, x, &others);
    else if (tensors != count_shapes(def->in))
        add_input(&others, x);
    if (stmt->body != NULL && tensors > 0) {
        build_error(b, "misplaced-statement", stmt->call->span,
                    "%s takes branches or named tensors, not both", def->name);
        return NULL;
    }
    for (int i = 0; i < given->named.tensors.count; i++)
        add_input(&others, given->named.tensors.items[i]);
    fill_slots(def, given, &others, &all);
    if (!all.known || !others.known || all.tensors.count == 0)
        return NULL;
    return carry(all.tensors.items, all.tensors.count);
}

/* ------------------------------------------------------------- its results */

void name_results(Builder *b, const Stmt *stmt, Tensor *y)
{
    int gives = y != NULL ? count_carried(y) : stmt->names.count;
    if (gives != stmt->names.count) {
        Diagnostic *d = build_error(b, "several-tensors",
                                    span_between(stmt->names.items[0]->span,
                                                 stmt->names.items[stmt->names.count - 1]->span),
                                    "%d %s for %d %s", stmt->names.count,
                                    stmt->names.count == 1 ? "name" : "names", gives,
                                    gives == 1 ? "tensor" : "tensors");
        diag_caption(d, "%s", carried_text(y));
        if (gives == 1)
            diag_help(d, "one tensor is named without brackets: `as %s`",
                      span_text(stmt->names.items[0]->span));
    }
    for (int i = 0; i < stmt->names.count; i++) {
        const Expr *as = stmt->names.items[i];
        Name name = take_name(b, as, "tensor", as->span);
        declare_tensor(b, &name, y != NULL && i < gives ? carried_part(y, i) : NULL);
    }
}
