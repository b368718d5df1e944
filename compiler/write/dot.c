/* dot.c: the network as a Graphviz drawing: data flows down, a block is a
 * frame, and every edge says the shape that flows along it.
 *
 * Nodes come in order of expansion, so all of one block's nodes are together
 * and frames open and close like braces.
 */
#include "netc.h"

#include <inttypes.h>
#include <string.h>

typedef LIST(const Instance *) Frames;

/* ---------------------------------------------------------------- labels */

/* Quoted names may hold any character: DOT's strings escape two ... */
static const char *escaped(const char *chars)
{
    Text text = { 0 };
    for (; *chars; chars++)
        text_add(&text, *chars == '"' || *chars == '\\' ? "\\%c" : "%c", *chars);
    return text_chars(&text);
}

/* ... and its HTML-like labels three others. */
static const char *html_escaped(const char *chars)
{
    Text text = { 0 };
    for (; *chars; chars++)
        text_add(&text, strchr("&<>", *chars) ? "&#%d;" : "%c", *chars);
    return text_chars(&text);
}

static const char *integers(const int64_t *value, int count)
{
    bool equal = true;
    for (int i = 1; i < count; i++)
        equal = equal && value[i] == value[0];
    if (equal)
        return format("%" PRId64, value[0]);
    Text text = { 0 };
    for (int i = 0; i < count; i++)
        text_add(&text, "%s%" PRId64, i ? ", " : "[", value[i]);
    text_add(&text, "]");
    return text_chars(&text);
}

static const char *value_text(const ArgSpec *spec, const ArgValue *value)
{
    if (value->word)
        return value->word;
    switch (spec->kind) {
    case ARG_INT: return integers(value->integer, 1);
    case ARG_PAIR: return integers(value->integer, 2);
    case ARG_QUAD: return integers(value->integer, 4);
    case ARG_REAL: return format("%g", value->real);
    case ARG_BOOL: return value->integer[0] ? "true" : "false";
    case ARG_WORD: return "";
    }
    unreachable();
}

/* The operator as the .net file calls it: "conv2d(20, 5, padding=2)". */
static const char *call_text(const Node *node)
{
    Text text = { 0 };
    const char *between = "(";
    text_add(&text, "%s", node->op->name);
    for (int i = 0; node->op->args && node->op->args[i].name; i++) {
        const ArgSpec *spec = &node->op->args[i];
        if (!node->args[i].given || spec->assertion)
            continue;
        text_add(&text, spec->positional ? "%s%.0s%s" : "%s%s=%s", between, spec->name, value_text(spec, &node->args[i]));
        between = ", ";
    }
    if (*between == ',')
        text_add(&text, ")");
    return text_chars(&text);
}

/* --------------------------------------------------------- nodes and edges */

/* What is drawn inside a frame is named without the frame's own path. */
static const char *short_path(const Node *node, const Frames *frames)
{
    const char *outer = frames->count ? frames->items[frames->count - 1]->path : NULL;
    size_t length = outer ? strlen(outer) : 0;
    if (length && !strncmp(node->path, outer, length) && node->path[length] == '.')
        return node->path + length + 1;
    return node->path;
}

/* Layers with weights stand out; a join is a small circle with its sign. */
static void write_node(const Node *node, const Frames *frames, Text *out)
{
    if (node->op->traits & OP_LOSS)
        text_add(out, "n%d [label=\"%s\", shape=note, fillcolor=\"#fff3d6\"];\n", node->id, escaped(call_text(node)));
    else if (node->op->traits & OP_SUMS)
        text_add(out, "n%d [label=\"+\", shape=circle, width=0.3, margin=0.02];\n", node->id);
    else if (node->op->traits & OP_JOINS)
        text_add(out, "n%d [label=\"%s\", shape=oval];\n", node->id, node->op->name);
    else if (node->parameters.count)
        text_add(out, "n%d [label=<<b>%s</b><br/>%s>, fillcolor=\"#d9e8f6\"];\n", node->id,
                 html_escaped(short_path(node, frames)), html_escaped(call_text(node)));
    else
        text_add(out, "n%d [label=\"%s\"];\n", node->id, escaped(call_text(node)));
}

static void write_edge(const Tensor *tensor, const char *to, Text *out)
{
    const char *from = tensor->producer ? format("n%d", tensor->producer->id) : "input";
    text_add(out, "  %s -> %s [label=\"%s\"];\n", from, to, shape_text(tensor->shape));
}

static void write_edges(const Node *node, Text *out)
{
    for (int i = 0; i < node->inputs.count; i++)
        write_edge(node->inputs.items[i], format("n%d", node->id), out);
}

/* ---------------------------------------------------------------- frames */

static void indent(int depth, Text *out)
{
    text_add(out, "%*s", 2 * depth + 2, "");
}

/* The block instances a node lies in, outermost first: loop turns draw no frame. */
static Frames frames_of(const Node *node)
{
    Frames inwards = { 0 }, frames = { 0 };
    for (const Instance *at = node->instance; at; at = at->outer)
        if (at->turn < 0)
            push(&inwards, at);
    for (int i = inwards.count - 1; i >= 0; i--)
        push(&frames, inwards.items[i]);
    return frames;
}

static void change_frames(Frames *open, const Frames *wanted, Text *out)
{
    int shared = 0;
    while (shared < open->count && shared < wanted->count && open->items[shared] == wanted->items[shared])
        shared++;
    while (open->count > shared) {
        open->count--;
        indent(open->count, out);
        text_add(out, "}\n");
    }
    for (; open->count < wanted->count;) {
        const Instance *next = wanted->items[open->count];
        const char *what = strncmp(next->what, "block ", 6) ? next->what : next->what + 6;
        indent(open->count, out);
        text_add(out, "subgraph \"cluster_%s\" {\n", escaped(next->path));
        push(open, next);
        indent(open->count, out);
        text_add(out, "label=\"%s  %s\"; labeljust=l; style=\"rounded\"; color=\"#8a8a8a\";\n", escaped(next->path), escaped(what));
    }
}

void write_dot(const Graph *graph, Text *out)
{
    text_add(out, "digraph \"%s\" {\n", escaped(graph->name));
    text_add(out, "  rankdir=TB; fontname=\"Helvetica\"; fontsize=11; nodesep=0.3; ranksep=0.3;\n");
    text_add(out, "  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f4f4f4\", fontname=\"Helvetica\", fontsize=11, height=0.3, margin=\"0.12,0.04\"];\n");
    text_add(out, "  edge [fontname=\"Helvetica\", fontsize=9, fontcolor=\"#555555\", arrowsize=0.6];\n");
    text_add(out, "  input [label=\"%s\", shape=oval];\n", escaped(graph->name));
    Frames open = { 0 };
    const Frames none = { 0 };
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (node->stage != STAGE_FORWARD)
            continue;
        Frames wanted = frames_of(node);
        change_frames(&open, &wanted, out);
        indent(open.count, out);
        write_node(node, &open, out);
    }
    change_frames(&open, &none, out);
    text_add(out, "  output [label=\"output\", shape=oval];\n");
    for (int i = 0; i < graph->nodes.count; i++)
        if (graph->nodes.items[i]->stage == STAGE_FORWARD)
            write_edges(graph->nodes.items[i], out);
    write_edge(graph->output, "output", out);
    text_add(out, "}\n");
}
