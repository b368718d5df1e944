/* warnings.c: what is legal and surely not meant.  Only of a program without
 * errors, since a fault elsewhere leaves things unused that are not, and of the
 * file that was named, not of those it uses.
 */
#include "graph/build.h"

#include <string.h>

static Diagnostic *warn_at(const Node *node, const char *code, const char *message)
{
    Diagnostic *d = diag(SEVERITY_WARNING, code, node->span, "%s", message);
    add_instance_notes(d, node->instance);
    return d;
}

static bool is_ours(const Program *program, Span at)
{
    return at.source == program->source;
}

/* --------------------------------------------------------------- layers */

/* cross_entropy takes logits: a softmax before it is taken twice. */
static void warn_of_softmax(const Graph *graph)
{
    const Node *last = graph->output->producer;
    bool twice =
        graph->loss != NULL && strcmp(graph->loss->op->name, "cross_entropy") == 0 && last != NULL
        && (strcmp(last->op->name, "softmax") == 0 || strcmp(last->op->name, "log_softmax") == 0);
    if (!twice || !is_ours(graph->program, last->span))
        return;
    Diagnostic *d = warn_at(last, "softmax-before-loss",
                            format("%s before cross_entropy, which takes its own", last->op->name));
    diag_label(d, graph->loss->span, "this is of values that no softmax has seen");
    diag_help(d, "leave %s out: predictions are the same without it", last->op->name);
}

/* Of a window at least as wide as its step nobody expects that it misses any row;
 * what it misses of the padding is no loss. */
static void warn_of_rows(const Node *node)
{
    for (int axis = 0; axis < window_axes(node); axis++) {
        const char *along = axis_unit(node->out_shape.rank, 1 + axis);
        Window window = node_window(node, axis);
        Int size = node->inputs.items[0]->shape.dim[1 + axis], extent = window_extent(window);
        Int covered = (node->out_shape.dim[1 + axis] - 1) * window.stride + extent - window.before,
            missed = size - covered;
        if (window.direction != WINDOW_SLIDES || missed <= 0 || extent < window.stride)
            continue;
        Diagnostic *d = warn_at(node, "rows-left-out",
                                format("%s leaves out the last %s%s of %lld", node->op->name,
                                       missed > 1 ? format("%lld ", missed) : "",
                                       missed > 1 ? format("%ss", along) : along, size));
        bool one = node->out_shape.dim[1 + axis] == 1;
        diag_caption(d, "%lld window%s to %s %lld", node->out_shape.dim[1 + axis],
                     one ? " reaches" : "s reach", along, covered);
        add_derivation(d, node->inputs.items[0], node->instance);
        diag_help(d, "padding, or for a pool ceil_mode=true, takes them in");
        return;
    }
}

static void mark_used(bool *used, const Graph *graph)
{
    LIST(const Tensor *) open = {0};
    push(&open, graph->output);
    for (int i = 0; i < graph->outputs.count; i++)
        push(&open, graph->outputs.items[i].tensor);
    for (int i = 0; i < graph->auxiliary.count; i++)
        push(&open, graph->auxiliary.items[i].tensor);
    while (open.count > 0) {
        const Node *node = open.items[--open.count]->producer;
        if (node == NULL || used[node->id])
            continue;
        used[node->id] = true;
        for (int i = 0; i < node->inputs.count; i++)
            push(&open, node->inputs.items[i]);
    }
}

/* Of several layers that lead nowhere, the last. */
static void warn_of_dead_layers(const Graph *graph)
{
    bool *used = NEW_ARRAY(bool, (size_t)graph->nodes.count),
         *read = NEW_ARRAY(bool, (size_t)graph->nodes.count);
    mark_used(used, graph);
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        for (int k = 0; k < node->inputs.count; k++)
            if (node->inputs.items[k]->producer != NULL)
                read[node->inputs.items[k]->producer->id] = true;
    }
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (used[i] || read[i] || (node->op->traits & OP_LOSS)
            || !is_ours(graph->program, node->span))
            continue;
        Diagnostic *d =
            warn_at(node, "dead-layer", format("nothing uses what %s gives", node->op->name));
        diag_caption(d, "%s", shape_text(node->out_shape));
        diag_help(d, "leave it out, or name it with `as` and join it");
    }
}

/* ---------------------------------------------------------- definitions */

static bool is_meant_unused(const char *name)
{
    return name[0] == '_';
}

static void warn_of_lets(const Builder *b, const BlockDef *def, const Body *body)
{
    for (int i = 0; body != NULL && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        if (stmt->kind == STMT_LET && !is_meant_unused(stmt->variable)
            && is_unused(b, def, stmt->variable))
            diag(SEVERITY_WARNING, "unused-let", stmt->variable_span, "nothing uses `%s`",
                 stmt->variable);
        warn_of_lets(b, def, stmt->body);
        warn_of_lets(b, def, stmt->other);
    }
}

static void warn_of_block(const Builder *b, const BlockDef *def)
{
    if (b->program->network != NULL && !is_meant_unused(def->name) && count_uses(b, def->name) == 0)
        diag(SEVERITY_WARNING, "unused-block", def->name_span, "nothing uses block %s", def->name);
    for (int i = 0; i < def->params.count; i++) {
        const Param *param = &def->params.items[i];
        if (!is_meant_unused(param->name) && is_unused(b, def, param->name))
            diag(SEVERITY_WARNING, "unused-parameter", param->span,
                 "block %s does not use its parameter `%s`", def->name, param->name);
    }
    warn_of_lets(b, def, def->body);
}

static void warn_of_function(const Builder *b, const FunctionDef *def)
{
    if (b->program->network != NULL && !def->loss && !is_meant_unused(def->name)
        && count_uses(b, def->name) == 0)
        diag(SEVERITY_WARNING, "unused-function", def->name_span, "nothing uses function %s",
             def->name);
    for (int i = 0; i < def->params.count; i++) {
        const Param *param = &def->params.items[i];
        if (!is_meant_unused(param->name) && count_function_mentions(def, param->name) == 0)
            diag(SEVERITY_WARNING, "unused-parameter", param->span,
                 "function %s does not use its parameter `%s`", def->name, param->name);
    }
}

void warn_of_definitions(const Builder *b)
{
    const Program *program = b->program;
    for (int i = 0; i < program->functions.count; i++)
        if (!program->functions.items[i]->library)
            warn_of_function(b, program->functions.items[i]);
    for (int i = 0; i < program->blocks.count; i++)
        if (!program->blocks.items[i]->library)
            warn_of_block(b, program->blocks.items[i]);
    if (program->network != NULL)
        warn_of_lets(b, NULL, program->network->body);
}

void warn_of_layers(const Graph *graph)
{
    warn_of_softmax(graph);
    for (int i = 0; i < graph->nodes.count; i++)
        if (graph->nodes.items[i]->op->window
            && is_ours(graph->program, graph->nodes.items[i]->span))
            warn_of_rows(graph->nodes.items[i]);
    warn_of_dead_layers(graph);
}
