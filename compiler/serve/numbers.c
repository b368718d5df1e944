/* numbers.c: what a statement costs.
 *
 * The receptive field is followed from the image down: a window of k at stride s
 * widens it by (k-1) times the product of the strides before, as in Araujo et al.
 * 2019, "Computing Receptive Fields of Convolutional Neural Networks".
 */
#include "plan/plan.h"
#include "serve/server.h"

#include <math.h>
#include <string.h>

/* Of a tensor: how many rows and columns of the image one value depends on, and
 * how far apart the fields of two neighbours are. */
typedef struct Field {
    double size[2], step[2];
    bool whole;
} Field;

static Int divisor(Int a, Int b)
{
    return b ? divisor(b, a % b) : a;
}

/* How many inputs lie between the first and the last that one output reads.  Of a transposed
 * window an output meets the taps whose distance is a multiple of the stride. */
static Int reach_of(Window window)
{
    if (window.direction != WINDOW_TRANSPOSED)
        return window_extent(window) - 1;
    Int common = divisor(window.stride, window.dilation), every = window.stride / common;
    return (window.kernel - 1) / every * (window.dilation / common);
}

/* How far apart the windows of two neighbours are, in inputs. */
static double step_of(Window window, Int in, Int out)
{
    switch (window.direction) {
    case WINDOW_NONE:
    case WINDOW_SLIDES:
        return (double)window.stride;
    case WINDOW_TRANSPOSED:
        return 1 / (double)window.stride;
    case WINDOW_FITTED:
        return (double)in / (double)out;
    }
    unreachable();
}

static void widen(Field *field, const Node *node)
{
    if (!node->op->window)
        return;
    Shape in = node->inputs.items[0]->shape, out = node->out->shape;
    for (int axis = 0; node->op->window && axis < window_axes(node); axis++) {
        Window window = node_window(node, axis);
        field->size[axis] += (double)reach_of(window) * field->step[axis];
        field->step[axis] *= step_of(window, in.dim[axis + 1], out.dim[axis + 1]);
    }
}

static Field joined_field(const Node *node, const Field *fields)
{
    Field field = first_input(node) ? fields[first_input(node)->id] : (Field){0};
    for (int i = 1; i < node->inputs.count; i++) {
        const Field *other = &fields[node->inputs.items[i]->id];
        field.whole |= other->whole;
        for (int axis = 0; axis < 2; axis++)
            field.size[axis] = fmax(field.size[axis], other->size[axis]);
    }
    return field;
}

static Field field_after(const Node *node, const Field *fields, Shape image)
{
    Field field = joined_field(node, fields);
    widen(&field, node);
    field.whole |=
        node->out->shape.rank == 1
        || (field.size[0] >= (double)image.dim[1] && field.size[1] >= (double)image.dim[2]);
    return field;
}

/* Along each axis: what a field is held against. */
static Shape largest_input(const Graph *graph)
{
    Shape largest = graph->input->shape;
    for (int i = 1; i < graph->inputs.count; i++)
        for (int axis = 0; graph->inputs.items[i].tensor && axis < MAX_RANK; axis++)
            if (graph->inputs.items[i].tensor->shape.dim[axis] > largest.dim[axis])
                largest.dim[axis] = graph->inputs.items[i].tensor->shape.dim[axis];
    return largest;
}

static const Field *fields_of(Analysis *a)
{
    const Graph *graph = a->trace.graph;
    if (a->fields || !graph || !graph->input)
        return a->fields;
    a->fields = NEW_ARRAY(Field, (size_t)graph->tensors.count);
    for (int i = 0; i < graph->inputs.count; i++) {
        const Tensor *input = graph->inputs.items[i].tensor;
        if (input)
            a->fields[input->id] = (Field){{1, 1}, {1, 1}, input->shape.rank == 1};
    }
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (node->stage == STAGE_FORWARD && node->out)
            a->fields[node->out->id] = field_after(node, a->fields, largest_input(graph));
    }
    return a->fields;
}

/* ---- memory */

/* By forward node: bytes per image of all tensors that are live while it runs. */
static Int *live_bytes(const Plan *plan)
{
    int steps = plan->steps.count;
    Int *change = NEW_ARRAY(Int, (size_t)steps + 1),
        *live = NEW_ARRAY(Int, (size_t)plan->graph->nodes.count), sum = 0;
    for (int i = 0; i < plan->tensors.count; i++) {
        const Tensor *tensor = plan->tensors.items[i];
        const Placement *placement = &plan->placements[tensor->id];
        if (placement->root != tensor || placement->space == SPACE_NONE
            || tensor->role == TENSOR_STATISTICS || placement->last < 0)
            continue;
        int first = placement->first < 0 ? 0 : placement->first;
        change[first < steps ? first : steps] += shape_elements(tensor->shape);
        change[placement->last < steps ? placement->last + 1 : steps] -=
            shape_elements(tensor->shape);
    }
    for (int i = 0; i < steps; i++) {
        sum += change[i];
        const Node *node = step_node(plan->steps.items[i]);
        if (node->stage == STAGE_FORWARD)
            live[node->id] = sum * (Int)sizeof(float);
    }
    return live;
}

static const Live *live_of(Analysis *a)
{
    enum { LANES = 16, MAX_NODES = 20000 }; /* beyond, a plan takes longer than a reader waits */
    Graph *graph = a->trace.graph;
    if (a->live || !a->sound || !graph || graph->nodes.count > MAX_NODES)
        return a->live;
    fields_of(a); /* before the gradients' tensors come */
    a->live = NEW(Live);
    mark_whole_batch(graph);
    if (graph->loss)
        add_gradients(graph, FUSE_ALL);
    a->live->inference = live_bytes(make_plan(graph, false, LANES, FUSE_CONCAT, false));
    a->live->training =
        graph->loss ? live_bytes(make_plan(graph, true, LANES, FUSE_CONCAT, false)) : NULL;
    return a->live;
}

static Int max(Int a, Int b)
{
    return a > b ? a : b;
}

/* ---- statements */

static void add(Int *sum, Int more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = INT64_MAX;
}

Cost cost_of(Analysis *a, const StmtUse *use)
{
    Cost cost = {0};
    const Field *fields = fields_of(a);
    const Live *live = live_of(a);
    for (int i = use->first; i < use->end; i++) {
        const Node *node = a->trace.graph->nodes.items[i];
        if (node->stage != STAGE_FORWARD || !node->out) /* live_of() has added gradients */
            continue;
        add(&cost.parameters, trained_elements(node));
        add(&cost.multiply_adds, node_multiply_adds(node));
        if (live)
            cost.live_inference = max(cost.live_inference, live->inference[i]);
        if (live && live->training)
            cost.live_training = max(cost.live_training, live->training[i]);
    }
    for (int axis = 0; use->out && fields && axis < 2; axis++)
        cost.field[axis] = fields[use->out->id].whole ? 0 : (Int)fields[use->out->id].size[axis];
    return cost;
}

static Span whole_span(const Stmt *stmt)
{
    const Body *last = stmt->other ? stmt->other : stmt->body;
    Span span = stmt->span;
    if (last && compare_to_position(last->close, (Position){span.end_line, span.end_column}) >= 0)
        span = span_between(span, last->close);
    return span;
}

static const Stmt *find_stmt(const Body *body, const Source *source, Position position)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        if (stmt->keyword.source != source || !is_within(whole_span(stmt), position))
            continue;
        const Stmt *inner = find_stmt(stmt->body, source, position);
        inner = inner ? inner : find_stmt(stmt->other, source, position);
        return inner ? inner : stmt;
    }
    return NULL;
}

const Stmt *stmt_at(const Program *program, Position position)
{
    const Stmt *found =
        program->network ? find_stmt(program->network->body, program->source, position) : NULL;
    for (int i = 0; i < program->blocks.count && !found; i++)
        found = find_stmt(program->blocks.items[i]->body, program->source, position);
    return found;
}
