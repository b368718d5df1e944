/* dot.c: the network as a Graphviz drawing, as its paper would draw it: data
 * flows down, a block is a frame, branches stand side by side, a skip runs past
 * what it skips, and every arrow says the shape that flows along it.
 *
 * Three things keep a large network readable.  Turns of a loop that do the same
 * are drawn once, with their number; what follows a layer without changing the
 * shape (its norm, its activation) is a line in the layer's own box; and where
 * the boxes would be too many, a use of a block that is built as one drawn
 * already is a single box.
 *
 * Nodes come in order of expansion, so all of one block's nodes are together
 * and frames open and close like braces.  What comes into a frame and is used there
 * more than once comes in once: it parts at a point inside, so that what is drawn of a
 * loop's turn is all within its frame.
 *
 * Boxes are as wide as their texts are in the widest typeface: dot knows only the
 * fonts of this machine.
 */
#include "drawing.h"

#include <math.h>
#include <string.h>

/* a loop's turn that is drawn for several */
typedef struct Fold {
    const Instance *turn;
    int times;
    bool lends; /* it holds one block and nothing else: the block's frame says the number */
} Fold;

/* of a block */
typedef struct Use {
    const Instance *instance;
    int first, end; /* its nodes */
} Use;

typedef struct Edge {
    const Node *node; /* inputs[which] of it */
    int which;
    int from, to; /* boxes; from -1: the input */
} Edge;

/* what comes into a frame from one box */
typedef struct Entry {
    int edges;
    const Instance *inner; /* the frame directly within that they all lead into; NULL: none */
    bool parts;            /* they do not all lead into one */
    int fork;              /* the point where they part; -1: none */
    struct Entry *next;    /* of the frame's with a fork */
} Entry;

typedef struct Drawing {
    const Graph *graph;
    bool brief;             /* blocks like those drawn are single boxes */
    LIST(Use) drawn, boxed; /* uses of blocks: in full; as a box */
    int *same;              /* by node: the one drawn in its stead, or itself */
    int *box;               /* by drawn node: the first of its box */
    int *consumers;         /* by drawn node: the edges that leave it */
    LIST(Fold) folds;
    LIST(Edge) edges;
    Map entries; /* by frame and box: see entry_key */
    Map forked;  /* the first entry with a fork, by frame: see frame_key */
    int forks;
} Drawing;

typedef LIST(const Instance *) Frames;

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

/* The operator as a .net file calls it, defaults left out: "conv2d(20, 5, padding=2)". */
static const char *call_text(const Node *node)
{
    Text text = {0};
    const char *between = "(";
    text_add(&text, "%s", node->op->name);
    for (int i = 0; node->op->args && node->op->args[i].name; i++) {
        const ArgSpec *spec = &node->op->args[i];
        if (!node->args[i].given || spec->assertion
            || argument_is_default(node->op->args, node->args, i))
            continue;
        text_add(&text, spec->positional ? "%s%.0s%s" : "%s%s=%s", between, spec->name,
                 argument_text(spec, &node->args[i]));
        between = ", ";
    }
    if (*between == ',')
        text_add(&text, ")");
    return text_chars(&text);
}

/* ------------------------------------------- turns that are drawn once */

static Node *node_at(const Drawing *drawing, int id)
{
    return drawing->graph->nodes.items[id];
}

/* The block or turn directly within `outer` that a node lies in; NULL: none. */
static const Instance *child_of(const Node *node, const Instance *outer)
{
    const Instance *child = node->instance;
    while (child && child->outer != outer)
        child = child->outer;
    return child;
}

static int segment_end(const Drawing *drawing, int first, int end, const Instance *outer)
{
    const Instance *child = child_of(node_at(drawing, first), outer);
    int at = first + 1;
    while (child && at < end && child_of(node_at(drawing, at), outer) == child)
        at++;
    return at;
}

/* Whether inputs[k] of both come from the same place, seen from their turns. */
static bool same_input(const Node *a, const Node *b, int k, int first, int second)
{
    const Node *from = a->inputs.items[k]->producer, *other = b->inputs.items[k]->producer;
    bool inside = from && from->id >= first, other_inside = other && other->id >= second;
    return inside == other_inside && (!inside || from->id - first == other->id - second);
}

static bool same_node(const Node *a, const Node *b, int first, int second)
{
    if (a->op != b->op || a->inputs.count != b->inputs.count)
        return false;
    for (int k = 0; k < a->inputs.count; k++)
        if (!same_input(a, b, k, first, second))
            return false;
    return true;
}

/* Whether the nodes from `first` and from `second` are built alike, and when
 * `exactly` called alike. */
static bool same_nodes(const Drawing *drawing, int first, int second, int count, bool exactly)
{
    for (int i = 0; i < count; i++) {
        const Node *a = node_at(drawing, first + i), *b = node_at(drawing, second + i);
        if (!same_node(a, b, first, second) || (exactly && strcmp(call_text(a), call_text(b))))
            return false;
    }
    return true;
}

static bool is_next_turn(const Instance *before, const Instance *turn)
{
    return before && turn && turn->turn == before->turn + 1 && before->span.line == turn->span.line
           && before->span.column == turn->span.column;
}

static void add_fold(Drawing *drawing, const Instance *turn, int times, int first, int end)
{
    const Instance *block = child_of(node_at(drawing, first), turn);
    bool lends = block && block->turn < 0 && segment_end(drawing, first, end, turn) == end;
    push(&drawing->folds, ((Fold){turn, times, lends}));
}

static bool is_drawn(const Drawing *drawing, Use use)
{
    for (int i = 0; i < drawing->drawn.count; i++) {
        Use other = drawing->drawn.items[i];
        if (!strcmp(other.instance->what, use.instance->what)
            && other.end - other.first == use.end - use.first
            && same_nodes(drawing, other.first, use.first, use.end - use.first, false))
            return true;
    }
    return false;
}

/* Whether this use of a block becomes a box: all its nodes are drawn as its last. */
static bool box_use(Drawing *drawing, Use use)
{
    if (!drawing->brief || use.instance->turn >= 0)
        return false;
    if (!is_drawn(drawing, use)) {
        push(&drawing->drawn, use);
        return false;
    }
    push(&drawing->boxed, use);
    for (int i = use.first; i < use.end - 1; i++)
        drawing->same[i] = use.end - 1;
    return true;
}

/* Of the nodes [first, end), all within `outer`: each turn like the one before
 * it is drawn as that one. */
static void fold_turns(Drawing *drawing, int first, int end, const Instance *outer)
{
    for (int at = first, next; at < end; at = next) {
        next = segment_end(drawing, at, end, outer);
        const Instance *child = child_of(node_at(drawing, at), outer), *last = child;
        int drawn = at, drawn_end = next, times = 1;
        while (child && child->turn >= 0 && next < end) {
            int after = segment_end(drawing, next, end, outer);
            const Instance *turn = child_of(node_at(drawing, next), outer);
            if (!is_next_turn(last, turn) || after - next != drawn_end - drawn
                || !same_nodes(drawing, drawn, next, after - next, true))
                break;
            for (int i = next; i < after; i++)
                drawing->same[i] = drawn + (i - next);
            last = turn;
            next = after;
            times++;
        }
        if (child && !box_use(drawing, (Use){child, drawn, drawn_end}))
            fold_turns(drawing, drawn, drawn_end, child);
        if (times > 1)
            add_fold(drawing, child, times, drawn, drawn_end);
    }
}

static int drawn_as(const Drawing *drawing, int id)
{
    while (drawing->same[id] != id)
        id = drawing->same[id];
    return id;
}

static const Fold *fold_of(const Drawing *drawing, const Instance *turn)
{
    for (int i = 0; i < drawing->folds.count; i++)
        if (drawing->folds.items[i].turn == turn)
            return &drawing->folds.items[i];
    return NULL;
}

/* ---------------------------------------------------------------- frames */

static const Use *boxed_as(const Drawing *drawing, const Instance *instance)
{
    for (int i = 0; i < drawing->boxed.count; i++)
        if (drawing->boxed.items[i].instance == instance)
            return &drawing->boxed.items[i];
    return NULL;
}

/* The boxed use that a node lies in; NULL: none. */
static const Use *use_of(const Drawing *drawing, const Node *node)
{
    for (const Instance *at = node->instance; at; at = at->outer)
        if (boxed_as(drawing, at))
            return boxed_as(drawing, at);
    return NULL;
}

static bool has_frame(const Drawing *drawing, const Instance *instance)
{
    const Fold *fold = instance->turn >= 0 ? fold_of(drawing, instance) : NULL;
    return instance->turn < 0 ? !boxed_as(drawing, instance) : fold && !fold->lends;
}

/* The frames a node lies in, outermost first. */
static Frames frames_of(const Drawing *drawing, const Node *node)
{
    Frames inwards = {0}, frames = {0};
    const Use *use = use_of(drawing, node);
    for (const Instance *at = use ? use->instance->outer : node->instance; at; at = at->outer)
        if (has_frame(drawing, at))
            push(&inwards, at);
    for (int i = inwards.count - 1; i >= 0; i--)
        push(&frames, inwards.items[i]);
    return frames;
}

static const Instance *innermost_frame(const Drawing *drawing, const Node *node)
{
    const Instance *at = node->instance;
    while (at && !has_frame(drawing, at))
        at = at->outer;
    return at;
}

static void indent(int depth, Text *out)
{
    text_add(out, "%*s", 2 * depth + 2, "");
}

static const char *without_prefix(const char *path, const Frames *frames);

/* How often a block's use is repeated where its frame or box says so for the loop; or 0. */
static int lent_times(const Drawing *drawing, const Instance *use)
{
    const Fold *fold = use->outer ? fold_of(drawing, use->outer) : NULL;
    return fold && fold->lends ? fold->times : 0;
}

/* "layer1.1  Bottleneck  × 2", "repeat  × 3" */
static Label frame_label(const Drawing *drawing, const Instance *frame, const Frames *outer)
{
    if (frame->turn >= 0)
        return (Label){.what = frame->what, .times = fold_of(drawing, frame)->times};
    const char *what = strncmp(frame->what, "block ", 6) ? frame->what : frame->what + 6;
    return (Label){html_escaped(without_prefix(frame->path, outer)), html_escaped(what),
                   lent_times(drawing, frame)};
}

static const char *frame_key(const Instance *frame)
{
    return format("%p", (const void *)frame);
}

static void write_forks_of(const Drawing *drawing, const Instance *frame, int depth, Text *out)
{
    for (const Entry *entry = map_get(&drawing->forked, frame_key(frame)); entry;
         entry = entry->next) {
        indent(depth, out);
        text_add(out, "f%d [shape=point, width=0.05, height=0.05, color=\"#57606a\"];\n",
                 entry->fork);
    }
}

static void open_frame(const Drawing *drawing, const Instance *frame, Frames *open, Text *out)
{
    bool loop = frame->turn >= 0;
    const char *name =
        loop ? format("loop %d", (int)(fold_of(drawing, frame) - drawing->folds.items))
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

static bool keeps_shape(const Node *node)
{
    return node->inputs.count == 1 && shape_equal(node->inputs.items[0]->shape, node->out->shape);
}

static bool is_layer(const Node *node)
{
    return node->stage == STAGE_FORWARD && !(node->op->traits & OP_LOSS);
}

/* Whether the node's inputs are edges of the drawing: it is drawn, or part of a
 * boxed use that is. */
static bool has_edges(const Drawing *drawing, int id)
{
    const Use *use = drawing->same[id] != id ? use_of(drawing, node_at(drawing, id)) : NULL;
    return drawing->same[id] == id || (use && drawn_as(drawing, id) == use->end - 1);
}

static void count_consumers(Drawing *drawing, int forward)
{
    for (int i = 0; i < forward; i++) {
        const Node *node = node_at(drawing, i);
        for (int k = 0; has_edges(drawing, i) && k < node->inputs.count; k++) {
            const Node *producer = node->inputs.items[k]->producer;
            if (producer && drawn_as(drawing, producer->id) != drawn_as(drawing, i))
                drawing->consumers[drawn_as(drawing, producer->id)]++;
        }
    }
    if (drawing->graph->output->producer)
        drawing->consumers[drawn_as(drawing, drawing->graph->output->producer->id)] +=
            !drawing->graph->loss;
}

/* Whether a node is a line in the box of the one drawn before it. */
static bool joins_box(const Drawing *drawing, int before, const Node *node)
{
    bool boxed = before < 0 || use_of(drawing, node) || use_of(drawing, node_at(drawing, before));
    if (boxed || !is_layer(node) || !keeps_shape(node) || node->op->traits & OP_JOINS)
        return false;
    const Node *last = node_at(drawing, before), *producer = node->inputs.items[0]->producer;
    return producer && drawn_as(drawing, producer->id) == before && drawing->consumers[before] == 1
           && !(last->op->traits & OP_JOINS)
           && innermost_frame(drawing, last) == innermost_frame(drawing, node);
}

static void make_boxes(Drawing *drawing, int forward)
{
    int before = -1;
    for (int i = 0; i < forward; i++) {
        if (drawing->same[i] != i)
            continue;
        drawing->box[i] =
            joins_box(drawing, before, node_at(drawing, i)) ? drawing->box[before] : i;
        before = i;
    }
}

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
                   html_escaped(call_text(node)), 0};
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
                   html_escaped(use_text(instance)), lent_times(drawing, instance)};
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
static void write_box(const Drawing *drawing, int first, int forward, const Frames *frames,
                      Text *out)
{
    const Node *node = node_at(drawing, first);
    if (use_of(drawing, node)) {
        write_use(drawing, use_of(drawing, node), first, frames, out);
        return;
    }
    if (node->op->traits & OP_JOINS) {
        write_join(node, out);
        return;
    }
    text_add(out, "n%d [label=<" TABLE("1", "4"), first);
    for (int i = first; i < forward; i++)
        if (drawing->same[i] == i && drawing->box[i] == first)
            write_line(node_at(drawing, i), frames, out);
    text_add(out, "</table>>];\n");
}

/* ----------------------------------------------------------------- edges */

static int source_box(const Drawing *drawing, const Tensor *tensor)
{
    return tensor->producer ? drawing->box[drawn_as(drawing, tensor->producer->id)] : -1;
}

/* A join's input that goes elsewhere too, and is not the join's last: the way
 * past what is skipped. */
static bool is_skip(const Drawing *drawing, const Node *node, int k)
{
    const Node *producer = node->inputs.items[k]->producer;
    int from = source_box(drawing, node->inputs.items[k]), latest = -1;
    for (int i = 0; i < node->inputs.count; i++)
        latest = source_box(drawing, node->inputs.items[i]) > latest
                     ? source_box(drawing, node->inputs.items[i])
                     : latest;
    bool shared = !producer || drawing->consumers[drawn_as(drawing, producer->id)] > 1;
    return node->op->traits & OP_JOINS && shared && from < latest;
}

static const char *box_name(int box)
{
    return box < 0 ? "input" : format("n%d", box);
}

/* The body stays straight: a skip bends, and so does what is summed to the body.  It leaves
 * a box below its last line, whose result it carries. */
static const char *edge_style(const Drawing *drawing, const Node *node, int k, bool from_box)
{
    const Node *producer = node->inputs.items[k]->producer;
    bool forks = producer && drawing->consumers[drawn_as(drawing, producer->id)] == 2;
    bool aside = node->op->traits & OP_SUMS
                     ? k > 0
                     : forks && drawn_as(drawing, producer->id) < node->id - 1;
    if (is_skip(drawing, node, k))
        return format("%scolor=\"#c8553d\", penwidth=1.4, weight=1",
                      from_box ? "tailport=s, " : "");
    return aside ? "weight=1" : "weight=8";
}

static void add_edge(Drawing *drawing, const Node *node, int k, int to)
{
    push(&drawing->edges, ((Edge){node, k, source_box(drawing, node->inputs.items[k]), to}));
}

/* Into a boxed use, each tensor once. */
static void add_use_edges(Drawing *drawing, const Use *use)
{
    LIST(const Tensor *) added = {0};
    for (int i = use->first; i < use->end; i++)
        for (int k = 0; k < node_at(drawing, i)->inputs.count; k++) {
            const Tensor *tensor = node_at(drawing, i)->inputs.items[k];
            bool inside = tensor->producer && tensor->producer->id >= use->first, known = false;
            for (int w = 0; w < added.count; w++)
                known |= added.items[w] == tensor;
            if (inside || known)
                continue;
            push(&added, tensor);
            add_edge(drawing, node_at(drawing, i), k, use->end - 1);
        }
}

static void add_edges(Drawing *drawing, int forward)
{
    for (int i = 0; i < forward; i++) {
        const Node *node = node_at(drawing, i);
        const Use *use = use_of(drawing, node);
        if (drawing->same[i] != i || drawing->box[i] != i)
            continue;
        if (use)
            add_use_edges(drawing, use);
        for (int k = 0; !use && k < node->inputs.count; k++)
            add_edge(drawing, node, k, i);
    }
}

/* ----------------------------------------------------------------- forks */

static const char *entry_key(const Instance *frame, int from)
{
    return format("%p %d", (const void *)frame, from);
}

static bool is_within(const Drawing *drawing, int box, const Instance *frame)
{
    const Instance *at = box < 0 ? NULL : node_at(drawing, box)->instance;
    while (at && at != frame)
        at = at->outer;
    return at;
}

/* The frames that an edge goes into, outermost first. */
static Frames entered(const Drawing *drawing, const Edge *edge)
{
    Frames all = frames_of(drawing, node_at(drawing, edge->to)), frames = {0};
    for (int i = 0; i < all.count; i++)
        if (!is_within(drawing, edge->from, all.items[i]))
            push(&frames, all.items[i]);
    return frames;
}

static Entry *entry_of(Drawing *drawing, const Instance *frame, int from)
{
    const char *key = entry_key(frame, from);
    Entry *entry = map_get(&drawing->entries, key);
    if (!entry) {
        entry = NEW(Entry);
        *entry = (Entry){.fork = -1};
        map_set(&drawing->entries, key, entry);
    }
    return entry;
}

static void add_fork(Drawing *drawing, const Instance *frame, Entry *entry)
{
    entry->fork = drawing->forks++;
    entry->next = map_get(&drawing->forked, frame_key(frame));
    map_set(&drawing->forked, frame_key(frame), entry);
}

/* Finds what enters a frame more than once and parts there, not further within. */
static void make_forks(Drawing *drawing)
{
    for (int i = 0; i < drawing->edges.count; i++) {
        const Edge *edge = &drawing->edges.items[i];
        Frames frames = entered(drawing, edge);
        for (int f = 0; f < frames.count; f++) {
            Entry *entry = entry_of(drawing, frames.items[f], edge->from);
            const Instance *inner = f + 1 < frames.count ? frames.items[f + 1] : NULL;
            entry->parts |= entry->edges++ && (!inner || inner != entry->inner);
            entry->inner = inner;
            if (entry->parts && entry->fork < 0)
                add_fork(drawing, frames.items[f], entry);
        }
    }
}

/* The point at which what enters the first `count` of these frames parted last; -1: nowhere. */
static int last_fork(const Drawing *drawing, int from, const Frames *frames, int count)
{
    int fork = -1;
    while (fork < 0 && count-- > 0)
        fork = ((const Entry *)map_get(&drawing->entries, entry_key(frames->items[count], from)))
                   ->fork;
    return fork;
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
    Frames frames = entered(drawing, edge);
    for (int i = 0; i < frames.count; i++) {
        int outer = last_fork(drawing, edge->from, &frames, i),
            fork = last_fork(drawing, edge->from, &frames, i + 1);
        if (fork == outer || written[fork])
            continue;
        written[fork] = true;
        write_arrow(edge, outer, format("f%d", fork), "arrowhead=none, weight=8", out);
    }
    int fork = last_fork(drawing, edge->from, &frames, frames.count);
    write_arrow(edge, fork, format("n%d", edge->to),
                edge_style(drawing, edge->node, edge->which, fork < 0), out);
}

static void write_edges(const Drawing *drawing, Text *out)
{
    bool *written = NEW_ARRAY(bool, (size_t)drawing->forks + 1);
    for (int i = 0; i < drawing->edges.count; i++)
        write_edge(drawing, &drawing->edges.items[i], written, out);
}

static void write_ends(const Drawing *drawing, Text *out)
{
    const Graph *graph = drawing->graph;
    text_add(out, "  ");
    write_plain("input", graph->name, "#eceef0", out);
    if (!graph->loss) {
        text_add(out, "  ");
        write_plain("output", "output", "#eceef0", out);
        text_add(out, "  %s -> output [", box_name(source_box(drawing, graph->output)));
        write_shape(graph->output->shape, out);
        text_add(out, "weight=8];\n");
    }
}

static int count_forward(const Graph *graph)
{
    int count = 0;
    while (count < graph->nodes.count && graph->nodes.items[count]->stage == STAGE_FORWARD)
        count++;
    return count;
}

static Drawing make_drawing(const Graph *graph, int forward, bool brief)
{
    Drawing drawing = {.graph = graph, .brief = brief};
    drawing.same = NEW_ARRAY(int, (size_t)forward);
    drawing.box = NEW_ARRAY(int, (size_t)forward);
    drawing.consumers = NEW_ARRAY(int, (size_t)forward);
    for (int i = 0; i < forward; i++)
        drawing.same[i] = i;
    fold_turns(&drawing, 0, forward, NULL);
    count_consumers(&drawing, forward);
    make_boxes(&drawing, forward);
    add_edges(&drawing, forward);
    make_forks(&drawing);
    return drawing;
}

static int count_boxes(const Drawing *drawing, int forward)
{
    int boxes = 0;
    for (int i = 0; i < forward; i++)
        boxes += drawing->same[i] == i && drawing->box[i] == i;
    return boxes;
}

void write_dot(const Graph *graph, Text *out)
{
    enum { MAX_BOXES = 40 };
    int forward = count_forward(graph);
    Drawing drawing = make_drawing(graph, forward, false);
    if (count_boxes(&drawing, forward) > MAX_BOXES)
        drawing = make_drawing(graph, forward, true);
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
    for (int i = 0; i < forward; i++) {
        if (drawing.same[i] != i || drawing.box[i] != i)
            continue;
        Frames wanted = frames_of(&drawing, node_at(&drawing, i));
        change_frames(&drawing, &open, &wanted, out);
        indent(open.count, out);
        write_box(&drawing, i, forward, &open, out);
    }
    change_frames(&drawing, &open, &none, out);
    write_edges(&drawing, out);
    text_add(out, "}\n");
}
