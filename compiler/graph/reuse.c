/* reuse.c: parameters that several layers have.
 *
 * `reuse NAME` applies a named layer, or use of a block, once more; `linear(10, weight=wte.weight)`
 * ties one parameter of a layer to another's.  Both are layers of their own, of whose parameters
 * those that they share are the first one's: what each would have had decides whether it fits.
 *
 * A block that is used again is expanded again.  Its frame knows the path of the first use, so that
 * each layer in it finds the layer that it is in there.
 */
#include "graph/build.h"

#include <string.h>

/* ---------------------------------------------------------------- whose */

const char *first_path(const Frame *frame, const char *path)
{
    size_t length = strlen(frame->prefix);
    if (frame->first == NULL)
        return NULL;
    require(strncmp(path, frame->prefix, length) == 0 && path[length] == '.');
    return format("%s%s", frame->first, path + length);
}

static const char *dims_text(const Parameter *parameter)
{
    Text text = {0};
    for (int i = 0; i < parameter->rank; i++)
        text_add(&text, "%s%lld", i > 0 ? ", " : "[", parameter->dim[i]);
    text_add(&text, "]");
    return text_chars(&text);
}

static bool same_dims(const Parameter *a, const Parameter *b)
{
    bool same = a->rank == b->rank && a->kind == b->kind;
    for (int i = 0; same && i < a->rank; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

static bool same_place(Span a, Span b)
{
    return a.source == b.source && a.line == b.line && a.column == b.column;
}

/* The statement of the first use as told from the second: within a block both are the same text,
 * and it is the uses of the block that differ. */
static Span first_use(const Node *first, const Node *node)
{
    const Instance *outer = first->instance;
    if (!same_place(first->span, node->span))
        return first->span;
    while (outer != NULL && outer->outer != NULL)
        outer = outer->outer;
    return outer != NULL ? outer->span : first->span;
}

/* ---------------------------------------------------------------- reuse */

static bool report_misfit(const Node *node, const Node *first, int which)
{
    const Parameter *has = first->parameters.items[which], *needs = node->parameters.items[which];
    Diagnostic *d = node_error(node, "reuse-mismatch", node->span,
                               "%s is %s, but for the input of this use it would be %s", has->path,
                               dims_text(has), dims_text(needs));
    diag_caption(d, "its input is %s", shape_text(input_shape(node)));
    diag_label(d, first_use(first, node), "first used here, on %s", shape_text(input_shape(first)));
    node_derivation(d, first_input(node));
    diag_help(d, "bring the input to %s, or write a layer of its own instead of `reuse`",
              shape_text(input_shape(first)));
    return false;
}

static bool report_other_way(const Node *node, const char *path)
{
    Diagnostic *d = node_error(node, "reuse-mismatch", node->span,
                               "the first use has no %s %s whose parameters this one could have",
                               node->op->name, path);
    diag_help(d, "an `if` or a loop took another way there; both uses must have the same layers");
    return false;
}

static bool share_all(Builder *b, Node *node, const char *path)
{
    const Node *first = map_get(&b->layers_by_path, path);
    if (node->parameters.count == 0)
        return true;
    if (first == NULL && map_get(&b->paths, path) != NULL)
        return false; /* it had a fault of its own */
    if (first == NULL || first->op != node->op || first->parameters.count != node->parameters.count)
        return report_other_way(node, path);
    for (int i = 0; i < node->parameters.count; i++)
        if (!same_dims(first->parameters.items[i], node->parameters.items[i]))
            return report_misfit(node, first, i);
    for (int i = 0; i < node->parameters.count; i++) {
        node->parameters.items[i] = first->parameters.items[i];
        node->parameters.items[i]->uses++;
    }
    return true;
}

static const Layer *renamed_layer(const Layer *layer, const char *path)
{
    Layer *renamed = NEW(Layer);
    *renamed = *layer;
    renamed->path = path;
    return renamed;
}

/* "reuse" name ["as" name] ["->" shape] */
Tensor *walk_reuse(Builder *b, const Stmt *stmt, Tensor *x, Name *name)
{
    const TensorName *named = named_layer(b, stmt->from);
    const Layer *layer = named != NULL ? named->layer : NULL;
    *name = take_name(b, stmt->as, "reuse", stmt->span);
    if (named != NULL && layer == NULL) {
        Diagnostic *d = build_error(b, "argument-type", stmt->from->span,
                                    "%s is a tensor, and neither a layer nor a use of a block",
                                    span_text(stmt->from->span));
        diag_label(d, named->span, "named here");
        diag_help(d, "`from` continues from a tensor; `reuse` takes the name of a statement that "
                     "applies a layer or block");
    }
    if (layer == NULL)
        return NULL;
    name->layer = renamed_layer(layer, name->path);
    if (x == NULL || named->tensor == NULL)
        return NULL;
    if (layer->block != NULL)
        return use_block(b, layer->block, layer->given, name->path, layer->path, stmt->span, x);
    Sharing sharing = {.first = layer->path};
    x = one_tensor(b, x, stmt->span, format("%s takes", layer->op->name));
    if (x == NULL)
        return NULL;
    return add_layer(b, layer->op, layer->args, x, name->path, stmt->span, &sharing);
}

/* ----------------------------------------------------------------- ties */

static Parameter *parameter_at(const Builder *b, const char *path)
{
    const Graph *graph = b->graph;
    for (int i = 0; i < graph->parameters.count; i++)
        if (graph->parameters.items[i]->path == path)
            return graph->parameters.items[i];
    for (int i = 0; i < graph->aliases.count; i++)
        if (graph->aliases.items[i].path == path)
            return graph->aliases.items[i].parameter;
    return NULL;
}

/* Of a layer that is called so here: in a loop the iteration's own. */
static Parameter *parameter_of_named(const Builder *b, const char *word)
{
    const char *dot = strrchr(word, '.');
    const TensorName *named =
        dot != NULL ? visible_name(b, intern_range(word, (size_t)(dot - word))) : NULL;
    const Node *node = named != NULL && named->layer != NULL
                           ? map_get(&b->layers_by_path, named->layer->path)
                           : NULL;
    return node != NULL ? find_parameter(node, dot + 1) : NULL;
}

/* As its layer is named, or by its path in the block where it is written, or in one around that. */
static Parameter *find_tied(const Builder *b, const char *word)
{
    const char *prefix = b->frame->prefix;
    if (parameter_of_named(b, word) != NULL)
        return parameter_of_named(b, word);
    for (;;) {
        Parameter *parameter =
            parameter_at(b, *prefix != '\0' ? format("%s.%s", prefix, word) : intern(word));
        const char *dot = strrchr(prefix, '.');
        if (parameter != NULL || *prefix == '\0')
            return parameter;
        prefix = dot != NULL ? intern_range(prefix, (size_t)(dot - prefix)) : "";
    }
}

/* Whether a layer has that name which was not made, having a fault of its own. */
static bool is_of_faulty_layer(const Builder *b, const char *path)
{
    const char *layer = intern_range(path, (size_t)(strrchr(path, '.') - path)),
               *full = *b->frame->prefix != '\0' ? format("%s.%s", b->frame->prefix, layer) : layer;
    return map_get(&b->paths, full) != NULL && map_get(&b->layers_by_path, full) == NULL;
}

static void report_unknown_parameter(Builder *b, const char *word, Span at)
{
    LIST(const char *) paths = {0};
    for (int i = 0; i < b->graph->parameters.count; i++)
        push(&paths, b->graph->parameters.items[i]->path);
    push(&paths, NULL);
    Diagnostic *d = build_error(b, "unknown-name", at, "no parameter is named %s so far", word);
    const char *near =
        b->suggestions++ < MAX_SUGGESTIONS ? nearest_for(d, word, paths.items) : NULL;
    if (near != NULL)
        diag_fix(d, at, near, "the nearest is %s", near);
    diag_help(d, "a parameter's path is its layer's name and its own, as in PyTorch's state_dict: "
                 "wte.weight");
}

/* A word that may be a path. */
static const char *path_of(const Value *value)
{
    bool wordy =
        value->kind == VALUE_WORD || value->kind == VALUE_TEXT || value->kind == VALUE_TENSOR;
    return wordy ? value->word : NULL;
}

const Arguments *take_ties(Builder *b, const Operator *op, const Arguments *args, Sharing *sharing)
{
    Arguments *rest = NEW(Arguments);
    for (int i = 0; i < args->count; i++) {
        const Argument *arg = &args->items[i];
        const char *path = path_of(&arg->value);
        bool own = arg->name == NULL || operator_arg(op, arg->name) >= 0;
        Parameter *parameter = own || path == NULL ? NULL : find_tied(b, path);
        if (parameter != NULL) {
            push(&sharing->ties, ((Tie){arg->name, arg->name_span, arg->span, parameter}));
        } else if (own || path == NULL || strchr(path, '.') == NULL) {
            push(rest, *arg);
        } else {
            sharing->broken = true;
            if (!b->unexpanded && b->guesses == 0 && !is_of_faulty_layer(b, path))
                report_unknown_parameter(b, path, arg->span);
        }
    }
    return rest;
}

static bool report_no_parameter(const Node *node, const Tie *tie)
{
    Text names = {0};
    for (int i = 0; i < node->parameters.count; i++)
        if (node->parameters.items[i]->kind == PARAMETER_TRAINED)
            text_add(&names, "%s%s", names.length > 0 ? ", " : "", parameter_name(node, i));
    Diagnostic *d =
        node_error(node, "unknown-argument", tie->name_span,
                   "%s has neither an argument nor a parameter `%s`", node->op->name, tie->name);
    if (names.length > 0)
        diag_note(d, "parameters of this %s: %s", node->op->name, text_chars(&names));
    else
        diag_note(d, "this %s has no parameters", node->op->name);
    return false;
}

static bool report_untied(const Node *node, const Tie *tie, const Parameter *own)
{
    Diagnostic *d =
        tie->parameter->kind != own->kind
            ? node_error(node, "reuse-mismatch", tie->span,
                         "%s is not trained: nothing is tied to it", tie->parameter->path)
            : node_error(node, "reuse-mismatch", tie->span, "%s is %s, but the %s of this %s is %s",
                         tie->parameter->path, dims_text(tie->parameter), tie->name, node->op->name,
                         dims_text(own));
    diag_label(d, tie->parameter->node->span, "its layer");
    if (first_input(node) != NULL)
        node_derivation(d, first_input(node));
    return false;
}

/* `named`: the layer's name is the user's, so that PyTorch's state has the parameter under both. */
static bool tie_parameter(Builder *b, Node *node, const Tie *tie, bool named)
{
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *own = node->parameters.items[i];
        if (strcmp(parameter_name(node, i), tie->name) != 0)
            continue;
        if (!same_dims(own, tie->parameter) || own->kind != PARAMETER_TRAINED)
            return report_untied(node, tie, own);
        call_parameter(node, i, parameter_name(node, i));
        node->parameters.items[i] = tie->parameter;
        tie->parameter->uses++;
        if (named)
            push(&b->graph->aliases, ((Alias){own->path, tie->parameter}));
        return true;
    }
    return report_no_parameter(node, tie);
}

bool share_parameters(Builder *b, Node *node, const Sharing *sharing)
{
    const char *path = sharing != NULL && sharing->first != NULL ? sharing->first
                                                                 : first_path(b->frame, node->path);
    if (path != NULL)
        return share_all(b, node, path);
    for (int i = 0; sharing != NULL && i < sharing->ties.count; i++)
        if (!tie_parameter(b, node, &sharing->ties.items[i], sharing->named))
            return false;
    return true;
}
