/* hover.c: what the word under the cursor means, and what its line does: the
 * shapes that go in and come out, and what they cost.
 */
#include "serve/server.h"

#include <string.h>

/* ---- pages */

const char *argument_page(const ArgSpec *arg)
{
    Text text = {0};
    text_add(&text, "`%s`", arg->name);
    if (arg->otherwise && arg->otherwise[0] == '=')
        text_add(&text, ", by default as `%s`", arg->otherwise + 1);
    else if (arg->otherwise && strcmp(arg->otherwise, "none"))
        text_add(&text, ", by default %s", arg->otherwise);
    if (arg->doc)
        text_add(&text, ": %s", arg->doc);
    for (int i = 0; arg->words && arg->words[i]; i++)
        text_add(&text, "%s`%s`", i ? ", " : " One of ", arg->words[i]);
    return text_chars(&text);
}

static void add_paragraph(Text *text, const char *body, bool code)
{
    if (body)
        text_add(text, code ? "\n\n```\n%s\n```" : "\n\n%s", body);
}

const char *operator_page(const Operator *op)
{
    Text text = {0};
    text_add(&text, "**%s**: %s", op->name, op->summary);
    add_paragraph(&text, op->shape_rule, true);
    add_paragraph(&text, op->formula, true);
    for (int i = 0; op->args && op->args[i].name; i++)
        text_add(&text, "%s- %s", i ? "\n" : "\n\n", argument_page(&op->args[i]));
    add_paragraph(&text, op->reference, false);
    return text_chars(&text);
}

/* The signature as it is written. */
const char *block_head(const BlockDef *block)
{
    Span span = block->span;
    span.line = block->name_span.line;
    span.column = block->name_span.column;
    return span_chars(span);
}

const char *function_head(const FunctionDef *function)
{
    return span_chars(span_between(function->name_span, function->span));
}

/* ---- numbers */

static const char *bytes_text(Int bytes)
{
    if (bytes >= 1 << 20)
        return format("%.1f MiB", (double)bytes / (1 << 20));
    return bytes >= 1 << 10 ? format("%.1f KiB", (double)bytes / (1 << 10))
                            : format("%lld bytes", bytes);
}

static const char *shape_or_unknown(const Tensor *tensor)
{
    return tensor ? carried_text(tensor) : "unknown";
}

/* Several uses: each pair of shapes once. */
static void add_shapes(const StmtUses *uses, Text *text)
{
    enum { MAX_TOLD = 6 };
    LIST(const char *) told = {0};
    for (int i = 0; i < uses->count && told.count <= MAX_TOLD; i++) {
        const char *line = format("%s → %s", shape_or_unknown(uses->items[i]->all_in),
                                  shape_or_unknown(uses->items[i]->all_out));
        bool known = false;
        for (int k = 0; k < told.count; k++)
            known |= told.items[k] == line;
        if (!known)
            push(&told, line);
    }
    for (int i = 0; i < told.count && i < MAX_TOLD; i++)
        text_add(text, "%s%s", i ? "  \n" : "", told.items[i]);
    if (told.count > MAX_TOLD)
        text_add(text, "  \nand others");
}

static void add_cost(Analysis *a, const StmtUse *use, int uses, Text *text)
{
    Cost cost = cost_of(a, use);
    text_add(text, "\n\n");
    if (uses > 1)
        text_add(text, "the first of %d times: ", uses);
    text_add(text, "%s parameters · %s multiply-adds", with_separators(cost.parameters),
             with_separators(cost.multiply_adds));
    if (use->out && cost.field[0])
        text_add(text, " · receptive field %lld × %lld", cost.field[0], cost.field[1]);
    else if (use->out)
        text_add(text, " · sees the whole image");
    if (cost.live_inference)
        text_add(text, "  \nlive while it runs, per image: %s", bytes_text(cost.live_inference));
    if (cost.live_training)
        text_add(text, ", %s in training", bytes_text(cost.live_training));
}

static void add_stmt(Analysis *a, const Stmt *stmt, Text *text)
{
    StmtUses uses = uses_at(a->shapes, stmt->keyword);
    if (!uses.count || stmt->kind == STMT_LET)
        return;
    if (stmt->kind == STMT_INPUT) {
        text_add(text, "%s per image", shape_or_unknown(uses.items[0]->all_out));
        return;
    }
    add_shapes(&uses, text);
    add_cost(a, uses.items[0], uses.count, text);
}

/* ---- names */

static void add_value(Analysis *a, const Definition *d, Text *text)
{
    static const char *const kinds[] = {
        [NAME_PARAMETER] = "parameter",
        [NAME_DIMENSION] = "dimension",
        [NAME_LET] = "value",
        [NAME_LOOP] = "turn",
    };
    text_add(text, "**%s**: %s%s%s", d->name, kinds[d->kind],
             d->block      ? " of block "
             : d->function ? " of function "
                           : "",
             d->block      ? d->block->name
             : d->function ? d->function->name
                           : "");
    if (d->function)
        text_add(text, d->param->value ? ", a number" : ", a tensor");
    if (d->kind == NAME_LET)
        text_add(text, "\n```net\nlet %s = %s\n```", d->name, span_chars(d->stmt->value->span));
    LIST(Int) told = {0};
    for (int i = 0; d->block && i < a->trace.blocks.count && told.count < 8; i++) {
        const BlockUse *use = &a->trace.blocks.items[i];
        for (int k = 0; use->def == d->block && k < use->symbols.count; k++) {
            bool known = strcmp(use->symbols.items[k].name, d->name) != 0;
            for (int m = 0; m < told.count; m++)
                known |= told.items[m] == use->symbols.items[k].value;
            if (!known)
                push(&told, use->symbols.items[k].value);
        }
    }
    for (int i = 0; i < told.count; i++)
        text_add(text, "%s%lld", i ? ", " : "\n\nwhere it is used: ", told.items[i]);
}

/* One of the file's as it is written, a built-in one as it is called. */
static void add_function(const Definition *d, Text *text)
{
    const char *call = NULL;
    for (int i = 0; element_function(i).name; i++)
        if (!strcmp(element_function(i).name, d->name))
            call = element_function(i).call;
    if (d->function)
        text_add(text, "```net\n%s %s\n```", d->function->loss ? "loss" : "function",
                 function_head(d->function));
    else
        text_add(text, "**%s**: a function of numbers%s", call ? call : d->name,
                 call ? ", and in a `function` of tensors' elements" : "");
}

static void add_definition(Analysis *a, const Definition *d, Text *text)
{
    switch (d->kind) {
    case NAME_OPERATOR:
        text_add(text, "%s", operator_page(d->op));
        break;
    case NAME_BLOCK:
        text_add(text, "```net\nblock %s\n```", block_head(d->block));
        break;
    case NAME_PARAMETER:
    case NAME_DIMENSION:
    case NAME_LET:
    case NAME_LOOP:
        add_value(a, d, text);
        break;
    case NAME_TENSOR:
        if (d->stmt)
            text_add(text, "**%s**: what `%s` on line %d gives", d->name,
                     span_chars(d->stmt->keyword), d->stmt->keyword.line);
        else
            text_add(text, "**%s**: an input of block %s", d->name, d->block->name);
        break;
    case NAME_ARGUMENT:
        text_add(text, "%s", argument_page(d->arg));
        break;
    case NAME_SETTING:
        text_add(text, "**%s**: %s", d->name, d->setting.doc);
        break;
    case NAME_CHOICE:
        text_add(text, "%s",
                 d->op ? operator_page(d->op)
                       : format("**%s** of `%s`: %s", d->name, d->setting.name, d->setting.doc));
        break;
    case NAME_FUNCTION:
        add_function(d, text);
        break;
    case NAME_FILE:
        text_add(text, "`%s`", d->file->path);
        break;
    case NAME_NETWORK:
        text_add(text, "network **%s**", d->name);
        break;
    }
}

/* The numbers of the definition of a tensor, wherever its name stands; of a use
 * of a block or operator, those of its statement. */
static const Stmt *told_stmt(const Request *request, const Occurrence *found)
{
    if (found && found->definition->kind == NAME_TENSOR)
        return found->definition->stmt;
    bool value =
        found
        && (found->definition->kind == NAME_BLOCK || found->definition->kind == NAME_OPERATOR
            || found->definition->kind == NAME_FUNCTION);
    return !found || value ? stmt_at(request->analysis->program, request->position) : NULL;
}

static void add_network(Analysis *a, Text *text)
{
    const Graph *graph = a->trace.graph;
    if (!graph || !graph->input || !graph->output)
        return;
    StmtUse all = {.in = graph->input, .out = graph->output, .end = graph->nodes.count};
    text_add(text, "\n\n%s → %s", inputs_text(graph), shape_text(graph->output->shape));
    add_cost(a, &all, 1, text);
}

cJSON *answer_hover(Request *request)
{
    Analysis *a = request->analysis;
    const Occurrence *found = occurrence_at(a, request->position);
    const Stmt *stmt = told_stmt(request, found);
    Text text = {0};
    if (stmt)
        add_stmt(a, stmt, &text);
    if (found && text.length)
        text_add(&text, "\n\n---\n\n");
    if (found)
        add_definition(a, found->definition, &text);
    if (found && found->definition->kind == NAME_NETWORK)
        add_network(a, &text);
    if (!text.length)
        return NULL;
    cJSON *hover = cJSON_CreateObject(), *contents = cJSON_AddObjectToObject(hover, "contents");
    cJSON_AddStringToObject(contents, "kind", "markdown");
    cJSON_AddStringToObject(contents, "value", text_chars(&text));
    if (found)
        cJSON_AddItemToObject(hover, "range", json_range(found->span));
    return hover;
}
