/* drawing.c: what is drawn of a network, and where its lines part.
 *
 * Three things keep a large network readable.  Iterations of a loop that do the same
 * are drawn once, with their number; what follows a layer without changing the
 * shape (its norm, its activation) is a line in the layer's own box; and where
 * the boxes would be too many, a use of a block that is built as one drawn
 * already is a single box, and if need be so are those that come last.
 *
 * What comes into a frame and is used there more than once comes in once: it parts at a
 * point inside, so that what is drawn of a loop's iteration is all within its frame.
 */
#include "report/drawing.h"

#include <string.h>

const char *node_call(const Node *node)
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

/* ---------------------------------------------- iterations that are drawn once */

Node *drawing_node(const Drawing *drawing, int id)
{
    return drawing->graph->nodes.items[id];
}

/* The block or iteration directly within `outer` that a node lies in; NULL: none. */
static const Instance *child_of(const Node *node, const Instance *outer)
{
    const Instance *child = node->instance;
    while (child && child->outer != outer)
        child = child->outer;
    return child;
}

static int segment_end(const Drawing *drawing, int first, int end, const Instance *outer)
{
    const Instance *child = child_of(drawing_node(drawing, first), outer);
    int at = first + 1;
    while (child && at < end && child_of(drawing_node(drawing, at), outer) == child)
        at++;
    return at;
}

/* Whether inputs[k] of both come from the same place, seen from their iterations. */
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
        const Node *a = drawing_node(drawing, first + i), *b = drawing_node(drawing, second + i);
        if (!same_node(a, b, first, second) || (exactly && strcmp(node_call(a), node_call(b))))
            return false;
    }
    return true;
}

static bool is_next_iteration(const Instance *before, const Instance *after)
{
    return before && after && after->iteration == before->iteration + 1
           && before->span.line == after->span.line && before->span.column == after->span.column;
}

static void add_fold(Drawing *drawing, const Instance *iteration, int times, int first, int end)
{
    const Instance *block = child_of(drawing_node(drawing, first), iteration);
    bool lends =
        block && block->iteration < 0 && segment_end(drawing, first, end, iteration) == end;
    push(&drawing->folds, ((Fold){iteration, times, lends}));
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
    if (!drawing->brief || use.instance->iteration >= 0)
        return false;
    if (drawing->drawn.count < drawing->in_full && !is_drawn(drawing, use)) {
        push(&drawing->drawn, use);
        return false;
    }
    push(&drawing->boxed, use);
    for (int i = use.first; i < use.end - 1; i++)
        drawing->same[i] = use.end - 1;
    return true;
}

/* Of the nodes [first, end), all within `outer`: each iteration like the one before
 * it is drawn as that one. */
static void fold_iterations(Drawing *drawing, int first, int end, const Instance *outer)
{
    for (int at = first, next; at < end; at = next) {
        next = segment_end(drawing, at, end, outer);
        const Instance *child = child_of(drawing_node(drawing, at), outer), *last = child;
        int drawn = at, drawn_end = next, times = 1;
        while (child && child->iteration >= 0 && next < end) {
            int after = segment_end(drawing, next, end, outer);
            const Instance *iteration = child_of(drawing_node(drawing, next), outer);
            if (!is_next_iteration(last, iteration) || after - next != drawn_end - drawn
                || !same_nodes(drawing, drawn, next, after - next, true))
                break;
            for (int i = next; i < after; i++)
                drawing->same[i] = drawn + (i - next);
            last = iteration;
            next = after;
            times++;
        }
        if (child && !box_use(drawing, (Use){child, drawn, drawn_end}))
            fold_iterations(drawing, drawn, drawn_end, child);
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

const Fold *drawing_fold(const Drawing *drawing, const Instance *iteration)
{
    for (int i = 0; i < drawing->folds.count; i++)
        if (drawing->folds.items[i].iteration == iteration)
            return &drawing->folds.items[i];
    return NULL;
}

/* ----------------------------------------------------------------- frames */

static const Use *boxed_as(const Drawing *drawing, const Instance *instance)
{
    for (int i = 0; i < drawing->boxed.count; i++)
        if (drawing->boxed.items[i].instance == instance)
            return &drawing->boxed.items[i];
    return NULL;
}

const Use *drawing_use(const Drawing *drawing, const Node *node)
{
    for (const Instance *at = node->instance; at; at = at->outer)
        if (boxed_as(drawing, at))
            return boxed_as(drawing, at);
    return NULL;
}

static bool has_frame(const Drawing *drawing, const Instance *instance)
{
    const Fold *fold = instance->iteration >= 0 ? drawing_fold(drawing, instance) : NULL;
    return instance->iteration < 0 ? !boxed_as(drawing, instance) : fold && !fold->lends;
}

Frames drawing_frames(const Drawing *drawing, const Node *node)
{
    Frames inwards = {0}, frames = {0};
    const Use *use = drawing_use(drawing, node);
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

int drawing_times(const Drawing *drawing, const Instance *use)
{
    const Fold *fold = use->outer ? drawing_fold(drawing, use->outer) : NULL;
    return fold && fold->lends ? fold->times : 0;
}

/* ------------------------------------------------------------------ boxes */

bool keeps_shape(const Node *node)
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
    const Use *use =
        drawing->same[id] != id ? drawing_use(drawing, drawing_node(drawing, id)) : NULL;
    return drawing->same[id] == id || (use && drawn_as(drawing, id) == use->end - 1);
}

static void count_consumers(Drawing *drawing)
{
    for (int i = 0; i < drawing->forward; i++) {
        const Node *node = drawing_node(drawing, i);
        for (int k = 0; has_edges(drawing, i) && k < node->inputs.count; k++) {
            const Node *producer = node->inputs.items[k]->producer;
            if (producer && drawn_as(drawing, producer->id) != drawn_as(drawing, i))
                drawing->consumers[drawn_as(drawing, producer->id)]++;
        }
    }
    if (drawing->graph->output->producer)
        drawing->consumers[drawn_as(drawing, drawing->graph->output->producer->id)] +=
            !drawing->graph->loss;
    for (int i = 0; i < drawing->graph->outputs.count; i++)
        if (drawing->graph->outputs.items[i].tensor->producer)
            drawing->consumers[drawn_as(drawing,
                                        drawing->graph->outputs.items[i].tensor->producer->id)]++;
}

/* Whether a node is a line in the box of the one drawn before it. */
static bool joins_box(const Drawing *drawing, int before, const Node *node)
{
    bool boxed = before < 0 || drawing_use(drawing, node)
                 || drawing_use(drawing, drawing_node(drawing, before));
    if (boxed || !is_layer(node) || !keeps_shape(node) || node->op->traits & OP_JOINS)
        return false;
    const Node *last = drawing_node(drawing, before), *producer = node->inputs.items[0]->producer;
    return producer && drawn_as(drawing, producer->id) == before && drawing->consumers[before] == 1
           && !(last->op->traits & OP_JOINS)
           && innermost_frame(drawing, last) == innermost_frame(drawing, node);
}

static void make_boxes(Drawing *drawing)
{
    int before = -1;
    for (int i = 0; i < drawing->forward; i++) {
        if (drawing->same[i] != i)
            continue;
        drawing->box[i] =
            joins_box(drawing, before, drawing_node(drawing, i)) ? drawing->box[before] : i;
        before = i;
    }
}

bool drawing_has_box(const Drawing *drawing, int id)
{
    return drawing->same[id] == id && drawing->box[id] == id;
}

/* ------------------------------------------------------------------ edges */

int drawing_source(const Drawing *drawing, const Tensor *tensor)
{
    int i = 0;
    if (tensor->producer)
        return drawing->box[drawn_as(drawing, tensor->producer->id)];
    while (drawing->graph->inputs.items[i].tensor != tensor)
        i++;
    return -1 - i;
}

bool drawing_skips(const Drawing *drawing, const Node *node, int k)
{
    const Node *producer = node->inputs.items[k]->producer;
    int from = drawing_source(drawing, node->inputs.items[k]), latest = -1;
    for (int i = 0; i < node->inputs.count; i++)
        latest = drawing_source(drawing, node->inputs.items[i]) > latest
                     ? drawing_source(drawing, node->inputs.items[i])
                     : latest;
    bool shared = !producer || drawing->consumers[drawn_as(drawing, producer->id)] > 1;
    return node->op->traits & OP_JOINS && shared && from < latest;
}

bool drawing_is_aside(const Drawing *drawing, const Node *node, int k)
{
    const Node *producer = node->inputs.items[k]->producer;
    bool forks = producer && drawing->consumers[drawn_as(drawing, producer->id)] == 2;
    return node->op->traits & OP_SUMS ? k > 0
                                      : forks && drawn_as(drawing, producer->id) < node->id - 1;
}

static void add_edge(Drawing *drawing, const Node *node, int k, int to)
{
    push(&drawing->edges, ((Edge){node, k, drawing_source(drawing, node->inputs.items[k]), to}));
}

/* Into a boxed use, each tensor once. */
static void add_use_edges(Drawing *drawing, const Use *use)
{
    LIST(const Tensor *) added = {0};
    for (int i = use->first; i < use->end; i++)
        for (int k = 0; k < drawing_node(drawing, i)->inputs.count; k++) {
            const Tensor *tensor = drawing_node(drawing, i)->inputs.items[k];
            bool inside = tensor->producer && tensor->producer->id >= use->first, known = false;
            for (int w = 0; w < added.count; w++)
                known |= added.items[w] == tensor;
            if (inside || known)
                continue;
            push(&added, tensor);
            add_edge(drawing, drawing_node(drawing, i), k, use->end - 1);
        }
}

static void add_edges(Drawing *drawing)
{
    for (int i = 0; i < drawing->forward; i++) {
        const Node *node = drawing_node(drawing, i);
        const Use *use = drawing_use(drawing, node);
        if (!drawing_has_box(drawing, i))
            continue;
        if (use)
            add_use_edges(drawing, use);
        for (int k = 0; !use && k < node->inputs.count; k++)
            add_edge(drawing, node, k, i);
    }
}

/* ------------------------------------------------------------------ forks */

static const char *frame_key(const Instance *frame)
{
    return format("%p", (const void *)frame);
}

static const char *entry_key(const Instance *frame, int from)
{
    return format("%p %d", (const void *)frame, from);
}

static bool is_within(const Drawing *drawing, int box, const Instance *frame)
{
    const Instance *at = box < 0 ? NULL : drawing_node(drawing, box)->instance;
    while (at && at != frame)
        at = at->outer;
    return at;
}

Frames drawing_entered(const Drawing *drawing, const Edge *edge)
{
    Frames all = drawing_frames(drawing, drawing_node(drawing, edge->to)), frames = {0};
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

const Entry *drawing_forks(const Drawing *drawing, const Instance *frame)
{
    return map_get(&drawing->forked, frame_key(frame));
}

/* Finds what enters a frame more than once and parts there, not further within. */
static void make_forks(Drawing *drawing)
{
    for (int i = 0; i < drawing->edges.count; i++) {
        const Edge *edge = &drawing->edges.items[i];
        Frames frames = drawing_entered(drawing, edge);
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

int drawing_fork_at(const Drawing *drawing, int from, const Frames *frames, int count)
{
    int fork = -1;
    while (fork < 0 && count-- > 0)
        fork = ((const Entry *)map_get(&drawing->entries, entry_key(frames->items[count], from)))
                   ->fork;
    return fork;
}

/* -------------------------------------------------------------- the whole */

static int count_forward(const Graph *graph)
{
    int count = 0;
    while (count < graph->nodes.count && graph->nodes.items[count]->stage == STAGE_FORWARD)
        count++;
    return count;
}

static Drawing draw(const Graph *graph, bool brief, int in_full)
{
    Drawing drawing = {
        .graph = graph, .brief = brief, .in_full = in_full, .forward = count_forward(graph)};
    drawing.same = NEW_ARRAY(int, (size_t)drawing.forward);
    drawing.box = NEW_ARRAY(int, (size_t)drawing.forward);
    drawing.consumers = NEW_ARRAY(int, (size_t)drawing.forward);
    for (int i = 0; i < drawing.forward; i++)
        drawing.same[i] = i;
    fold_iterations(&drawing, 0, drawing.forward, NULL);
    count_consumers(&drawing);
    make_boxes(&drawing);
    add_edges(&drawing);
    make_forks(&drawing);
    return drawing;
}

static int count_boxes(const Drawing *drawing)
{
    int boxes = 0;
    for (int i = 0; i < drawing->forward; i++)
        boxes += drawing_has_box(drawing, i);
    return boxes;
}

/* A block less is drawn in full until the boxes are few enough. */
Drawing make_drawing(const Graph *graph)
{
    enum { FEW_BOXES = 40, MOST_BOXES = 56 };
    Drawing drawing = draw(graph, false, 0);
    if (count_boxes(&drawing) <= FEW_BOXES)
        return drawing;
    drawing = draw(graph, true, drawing.forward);
    while (count_boxes(&drawing) > MOST_BOXES && drawing.drawn.count > 0)
        drawing = draw(graph, true, drawing.drawn.count - 1);
    return drawing;
}
