/* dot.c: the network as a Graphviz drawing, as its paper would draw it: data
 * flows down, a block is a frame, branches stand side by side, a skip runs past
 * what it skips, and every arrow says the shape that flows along it.
 *
 * Nodes come in order of expansion, so all of one block's nodes are together
 * and frames open and close like braces.  What is drawn at all: see drawing.c.
 *
 * Boxes are as wide as their texts are in the widest typeface: dot knows only the
 * fonts of this machine.
 */
#include "core/shown.h"
#include "ops/ops.h"
#include "report/drawing.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- labels */

enum { FONT_SIZE = 11, FRAME_FONT_SIZE = 10, EDGE_FONT_SIZE = 9, PADDING = 4 };

/* Quoted names may hold any character: DOT's strings escape two ... */
static const char *escaped(const char *chars)
{
    Text text = {0};
    for (; *chars; chars++)
        text_add(&text, *chars == '"' || *chars == '\\' ? "\\%c" : "%c", *chars);
    return text_chars(&text);
}

/* ... and its HTML-like labels three others; XML has no control characters. */
static const char *html_escaped(const char *chars)
{
    Text text = {0};
    for (const char *at = SHOWN(chars); *at; at++)
        text_add(&text, strchr("&<>", *at) ? "&#%d;" : "%c", *at);
    return text_chars(&text);
}

/* "conv1  conv2d(8, 3)  × 2", each part as XML */
typedef struct Label {
    const char *name; /* bold; NULL: none */
    const char *what;
    int times; /* bold; 0: not said */
} Label;

static const char *times_text(const Label *label)
{
    return label->times ? format("&#160;&#160;× %d", label->times) : "";
}

static const char *name_text(const Label *label)
{
    if (!label->name)
        return "";
    return *label->what ? format("%s&#160;&#160;", label->name) : label->name;
}

static int points(double ems, int size)
{
    return (int)ceil(ems * size);
}

static int label_width(const Label *label, int size)
{
    double bold = text_width(name_text(label), WIDEST_TYPEFACE, true)
                  + text_width(times_text(label), WIDEST_TYPEFACE, true);
    return points(bold + text_width(label->what, WIDEST_TYPEFACE, false), size);
}

static const char *bold(const char *xml)
{
    return *xml ? format("<b>%s</b>", xml) : "";
}

#define TABLE(border, padding)                                                               \
    "<table border=\"0\" cellborder=\"" border "\" cellspacing=\"0\" cellpadding=\"" padding \
    "\" color=\"#9aa4ae\">"

static void write_cell(const Label *label, int size, int padding, const char *attributes, Text *out)
{
    text_add(out, "<td align=\"left\" width=\"%d\"%s>%s%s%s</td>",
             label_width(label, size) + 2 * padding, attributes, bold(name_text(label)),
             label->what, bold(times_text(label)));
}

/* ---------------------------------------------------------------- frames */

static void indent(int depth, Text *out)
{
    text_add(out, "%*s", 2 * depth + 2, "");
}

static const char *without_prefix(const char *path, const Frames *frames);

/* "layer1.1  Bottleneck  × 2", "repeat  × 3" */
static Label frame_label(const Drawing *drawing, const Instance *frame, const Frames *outer)
{
    if (frame->iteration >= 0)
        return (Label){.what = frame->what, .times = drawing_fold(drawing, frame)->times};
    const char *what = strncmp(frame->what, "block ", 6) ? frame->what : frame->what + 6;
    return (Label){html_escaped(without_prefix(frame->path, outer)), html_escaped(what),
                   drawing_times(drawing, frame)};
}

static void write_forks_of(const Drawing *drawing, const Instance *frame, int depth, Text *out)
{
    for (const Entry *entry = drawing_forks(drawing, frame); entry; entry = entry->next) {
        indent(depth, out);
        text_add(out, "f%d [shape=point, width=0.05, height=0.05, color=\"#57606a\"];\n",
                 entry->fork);
    }
}

static void open_frame(const Drawing *drawing, const Instance *frame, Frames *open, Text *out)
{
    bool loop = frame->iteration >= 0;
    const char *name =
        loop ? format("loop %d", (int)(drawing_fold(drawing, frame) - drawing->folds.items))
             : frame->path;
    Label label = frame_label(drawing, frame, open);
    indent(open->count, out);
    text_add(out, "subgraph \"cluster_%s\" {\n", escaped(name));
    indent(open->count + 1, out);
    text_add(out, "label=<" TABLE("0", "0"));
    if (label.name) {
        text_add(out, "<tr>");
        write_cell(&(Label){.name = label.name, .what = ""}, FRAME_FONT_SIZE, 0, "", out);
        text_add(out, "</tr>");
    }
    text_add(out, "<tr>");
    write_cell(&(Label){.what = label.what, .times = label.times}, FRAME_FONT_SIZE, 0, "", out);
    text_add(out,
             "</tr></table>>; fontsize=%d; labeljust=l; margin=14; style=\"%s\"; color=\"%s\"; "
             "bgcolor=\"%s\";\n",
             FRAME_FONT_SIZE, loop ? "rounded,dashed" : "rounded", loop ? "#8a8a8a" : "#b9c0c8",
             loop              ? "#ffffff"
             : open->count % 2 ? "#ffffff"
                               : "#f6f8fa");
    write_forks_of(drawing, frame, open->count + 1, out);
    push(open, frame);
}

static void change_frames(const Drawing *drawing, Frames *open, const Frames *wanted, Text *out)
{
    int shared = 0;
    while (shared < open->count && shared < wanted->count
           && open->items[shared] == wanted->items[shared])
        shared++;
    while (open->count > shared) {
        open->count--;
        indent(open->count, out);
        text_add(out, "}\n");
    }
    while (open->count < wanted->count)
        open_frame(drawing, wanted->items[open->count], open, out);
}

/* What is drawn inside a frame is named without the frame's own path. */
static const char *without_prefix(const char *path, const Frames *frames)
{
    const char *outer = NULL;
    for (int i = 0; i < frames->count; i++)
        outer = frames->items[i]->path ? frames->items[i]->path : outer;
    size_t length = outer ? strlen(outer) : 0;
    return length && !strncmp(path, outer, length) && path[length] == '.' ? path + length + 1
                                                                          : path;
}

/* ----------------------------------------------------------------- boxes */

/* A colour for each family of operators, told by what they do rather than by name. */
static const char *colour_of(const Node *node)
{
    const Operator *op = node->op;
    if (op->traits & OP_LOSS)
        return "#fde2b3";
    if (op->traits & OP_JOINS)
        return "#ffffff";
    if (op->multiply_adds && node->parameters.count)
        return node->out->shape.rank == 3 ? "#cfe3f7" : "#d9d4f3"; /* convolutions; linear layers */
    if (node->parameters.count)
        return "#fbf3cf"; /* norms and scales */
    if (op->traits & (OP_VIEW | OP_TRAINING_ONLY))
        return "#eceef0";
    /* pools and the like; activations */
    return is_spatial(op) || !keeps_shape(node) ? "#d5eed9" : "#fbdcd6";
}

static void write_line(const Node *node, const Frames *frames, Text *out)
{
    bool named = node->parameters.count > 0;
    Label label = {named ? html_escaped(without_prefix(node->path, frames)) : NULL,
                   html_escaped(node_call(node)), 0};
    text_add(out, "<tr>");
    write_cell(&label, FONT_SIZE, PADDING, format(" bgcolor=\"%s\"", colour_of(node)), out);
    text_add(out, "</tr>");
}

/* A use as the file says it, spaces as one; on several lines it is the block's name alone. */
static const char *use_text(const Instance *instance)
{
    const char *source = span_text(instance->span);
    Text text = {0};
    for (const char *at = *source ? source : instance->what; *at; at++)
        if (*at != ' ' || at[1] != ' ')
            text_add_range(&text, at, 1);
    return text_chars(&text);
}

/* "layer3.1  BasicBlock(256)  × 5" */
static void write_use(const Drawing *drawing, const Use *use, int id, const Frames *frames,
                      Text *out)
{
    const Instance *instance = use->instance;
    Label label = {html_escaped(without_prefix(instance->path, frames)),
                   html_escaped(use_text(instance)), drawing_times(drawing, instance)};
    text_add(out, "n%d [label=<" TABLE("1", "4") "<tr>", id);
    write_cell(&label, FONT_SIZE, PADDING, " bgcolor=\"#eef1f4\"", out);
    text_add(out, "</tr></table>>];\n");
}

/* What is no layer: a join, the input, the output. */
static void write_plain(const char *name, const char *chars, const char *fill, Text *out)
{
    int width =
        points(text_width(html_escaped(chars), WIDEST_TYPEFACE, false), FONT_SIZE) + 4 * PADDING;
    text_add(
        out,
        "%s [label=\"%s\", shape=box, style=\"rounded,filled\", fillcolor=\"%s\", width=%.2f];\n",
        name, escaped(chars), fill, width / 72.0);
}

/* A join is its sign or its name. */
static void write_join(const Node *node, Text *out)
{
    if (node->op->traits & OP_SUMS)
        text_add(out,
                 "n%d [label=\"+\", shape=circle, style=filled, fillcolor=\"#ffffff\", width=0.28, "
                 "margin=0];\n",
                 node->id);
    else
        write_plain(format("n%d", node->id), node->op->name, "#ffffff", out);
}

/* From the box's first node to its last. */
static void write_box(const Drawing *drawing, int first, const Frames *frames, Text *out)
{
    const Node *node = drawing_node(drawing, first);
    if (drawing_use(drawing, node)) {
        write_use(drawing, drawing_use(drawing, node), first, frames, out);
        return;
    }
    if (node->op->traits & OP_JOINS) {
        write_join(node, out);
        return;
    }
    text_add(out, "n%d [label=<" TABLE("1", "4"), first);
    for (int i = first; i < drawing->forward; i++)
        if (drawing->same[i] == i && drawing->box[i] == first)
            write_line(drawing_node(drawing, i), frames, out);
    text_add(out, "</table>>];\n");
}

/* ----------------------------------------------------------------- edges */

static const char *box_name(int box)
{
    return box >= 0 ? format("n%d", box) : box == -1 ? "input" : format("input%d", -1 - box);
}

/* The body stays straight: a skip bends, and so does what is summed to the body.  A skip
 * leaves a box below its last line, whose result it carries. */
static const char *edge_style(const Drawing *drawing, const Edge *edge, bool from_box)
{
    if (drawing_skips(drawing, edge->node, edge->which))
        return format("%scolor=\"#c8553d\", penwidth=1.4, weight=1",
                      from_box ? "tailport=s, " : "");
    return drawing_is_aside(drawing, edge->node, edge->which) ? "weight=1" : "weight=8";
}

static void write_shape(const Shape shape, Text *out)
{
    Label label = {.what = shape_text(shape)};
    text_add(out, "label=<" TABLE("0", "4") "<tr>");
    write_cell(&label, EDGE_FONT_SIZE, PADDING, "", out);
    text_add(out, "</tr></table>>, ");
}

/* One arrow, or a part of it: it says its shape once, before it parts. */
static void write_arrow(const Edge *edge, int fork, const char *to, const char *style, Text *out)
{
    text_add(out, "  %s -> %s [", fork < 0 ? box_name(edge->from) : format("f%d", fork), to);
    if (fork < 0)
        write_shape(edge->node->inputs.items[edge->which]->shape, out);
    text_add(out, "%s];\n", style);
}

/* The ways to the points at which it parts are written before the first edge from there. */
static void write_edge(const Drawing *drawing, const Edge *edge, bool *written, Text *out)
{
    Frames frames = drawing_entered(drawing, edge);
    for (int i = 0; i < frames.count; i++) {
        int outer = drawing_fork_at(drawing, edge->from, &frames, i),
            fork = drawing_fork_at(drawing, edge->from, &frames, i + 1);
        if (fork == outer || written[fork])
            continue;
        written[fork] = true;
        write_arrow(edge, outer, format("f%d", fork), "arrowhead=none, weight=8", out);
    }
    int fork = drawing_fork_at(drawing, edge->from, &frames, frames.count);
    write_arrow(edge, fork, format("n%d", edge->to), edge_style(drawing, edge, fork < 0), out);
}

static void write_edges(const Drawing *drawing, Text *out)
{
    bool *written = NEW_ARRAY(bool, (size_t)drawing->forks + 1);
    for (int i = 0; i < drawing->edges.count; i++)
        write_edge(drawing, &drawing->edges.items[i], written, out);
}

/* Its box may be named as a layer is: it has a number. */
static void write_output(const Drawing *drawing, const Output *output, int number, Text *out)
{
    const char *name = format("output%d", number);
    text_add(out, "  ");
    write_plain(name, output->name, "#eceef0", out);
    text_add(out, "  %s -> %s [", box_name(drawing_source(drawing, output->tensor)), name);
    write_shape(output->tensor->shape, out);
    text_add(out, "weight=1];\n");
}

/* One is the network's beginning, and has its name; several have theirs. */
static void write_inputs(const Graph *graph, Text *out)
{
    for (int i = 0; i < graph->inputs.count; i++) {
        text_add(out, "  ");
        write_plain(box_name(-1 - i),
                    graph->inputs.count > 1 ? graph->inputs.items[i].name : graph->name, "#eceef0",
                    out);
    }
}

static void write_ends(const Drawing *drawing, Text *out)
{
    const Graph *graph = drawing->graph;
    write_inputs(graph, out);
    if (!graph->loss) {
        text_add(out, "  ");
        write_plain("output", "output", "#eceef0", out);
        text_add(out, "  %s -> output [", box_name(drawing_source(drawing, graph->output)));
        write_shape(graph->output->shape, out);
        text_add(out, "weight=8];\n");
    }
    for (int i = 0; i < graph->outputs.count; i++)
        write_output(drawing, &graph->outputs.items[i], i, out);
}

void write_dot(const Graph *graph, Text *out)
{
    Drawing drawing = make_drawing(graph);
    text_add(out, "digraph \"%s\" {\n", escaped(graph->name));
    text_add(out, "  rankdir=TB; fontname=\"Helvetica,Arial,sans-serif\"; fontsize=11; "
                  "nodesep=0.35; ranksep=0.32; bgcolor=\"white\";\n");
    text_add(out, "  node [shape=plain, fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, "
                  "color=\"#9aa4ae\", height=0.28, "
                  "ordering=out];\n");
    text_add(out, "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=9, "
                  "fontcolor=\"#57606a\", color=\"#57606a\", "
                  "arrowsize=0.6];\n");
    write_ends(&drawing, out);
    Frames open = {0};
    const Frames none = {0};
    for (int i = 0; i < drawing.forward; i++) {
        if (!drawing_has_box(&drawing, i))
            continue;
        Frames wanted = drawing_frames(&drawing, drawing_node(&drawing, i));
        change_frames(&drawing, &open, &wanted, out);
        indent(open.count, out);
        write_box(&drawing, i, &open, out);
    }
    change_frames(&drawing, &open, &none, out);
    write_edges(&drawing, out);
    text_add(out, "}\n");
}
