/* The graph of one step of a sequence: what a network makes of a text that grows by a character at
 * a time, without doing all earlier steps again.
 *
 * Requires a complete graph, which stays as it is; the copy shares parameters with it.  A tensor of
 * [steps, ...] is its row, [...], and one of [1, ...], which all steps share, is that row as it is.
 * Each operator says whether a row of what it makes can be computed of rows, see Operator.take_row;
 * attention and recurrent layers keep what they need of those before.  One that cannot say so ends
 * it: such a network goes through all steps for each.
 */
#include "graph/graph.h"

#include <string.h>

typedef struct Deriver {
    Graph *to;
    Tensor **rows; /* by id of the tensor of all steps */
    Int steps;
} Deriver;

static Shape row_shape(Shape shape)
{
    return shape.rank == 1 ? shape_of(1, 1, 1, 1) : shape_from(shape.rank - 1, shape.dim + 1);
}

/* Whether its first axis are the steps, or one row for all of them. */
static bool has_rows(const Deriver *deriver, const Tensor *tensor)
{
    return tensor->shape.dim[0] == deriver->steps || tensor->shape.dim[0] == 1;
}

static Tensor *row_of(Deriver *deriver, const Tensor *tensor)
{
    Tensor *row = new_tensor(deriver->to, tensor->role, tensor->name, row_shape(tensor->shape));
    row->choices = tensor->choices;
    return deriver->rows[tensor->id] = row;
}

static void copy_arguments(Node *row)
{
    int count = 0;
    while (row->op->args && row->op->args[count].name)
        count++;
    ArgValue *args = NEW_ARRAY(ArgValue, (size_t)count + 1);
    if (count)
        memcpy(args, row->args, (size_t)count * sizeof *args);
    row->args = args;
}

static bool keeps_first_axis(const Node *node)
{
    return input_shape(node).dim[0] == node->out->shape.dim[0];
}

static bool takes_row(const Deriver *deriver, Node *row)
{
    const Operator *op = row->op;
    if (op->take_row)
        return op->take_row(row, deriver->steps);
    if (op->traits & OP_VIEW)
        return keeps_first_axis(row->sequence);
    return (op->traits & OP_TRAINING_ONLY) || op->value || op->expression;
}

static bool derive(Deriver *deriver, const Node *node)
{
    Node *row = new_node(deriver->to, STAGE_FORWARD, node->op);
    int id = row->id;
    *row = *node;
    row->id = id;
    row->sequence = node;
    row->whole_batch = false;
    row->aux = row->statistics = NULL;
    row->inputs.items = NULL;
    row->inputs.count = row->inputs.capacity = 0;
    for (int i = 0; i < node->inputs.count; i++)
        push(&row->inputs, deriver->rows[node->inputs.items[i]->id]);
    copy_arguments(row);
    if (!has_rows(deriver, node->out))
        return false;
    row->out = row_of(deriver, node->out);
    row->out_shape = row->out->shape;
    row->out->producer = row;
    return takes_row(deriver, row);
}

/* Nodes that the output depends on, by id. */
static bool *find_needed(const Graph *graph)
{
    bool *needed = NEW_ARRAY(bool, (size_t)graph->nodes.count);
    if (graph->output->producer)
        needed[graph->output->producer->id] = true;
    for (int i = graph->nodes.count - 1; i >= 0; i--) {
        const Node *node = graph->nodes.items[i];
        for (int k = 0; needed[i] && k < node->inputs.count; k++)
            if (node->inputs.items[k]->producer)
                needed[node->inputs.items[k]->producer->id] = true;
    }
    return needed;
}

/* Whole numbers in, and classes of each step out. */
static bool is_of_steps(const Graph *graph)
{
    Shape in = graph->input->shape, out = graph->output->shape;
    const Node *loss = graph->loss;
    if (graph->inputs.count > 1 || !graph->input->choices || in.rank != 1 || in.dim[0] == 1
        || out.rank != 2 || out.dim[0] != in.dim[0] || !loss || loss->op->target != TARGET_CLASSES)
        return false;
    ClassLayout layout = class_layout_of(input_shape(loss));
    return layout.targets == in.dim[0] && layout.class_step == 1;
}

Graph *row_graph(const Graph *graph, const Node **obstacle)
{
    *obstacle = NULL;
    if (!is_of_steps(graph))
        return NULL;
    const bool *needed = find_needed(graph);
    Deriver deriver = {
        .to = NEW(Graph),
        .rows = NEW_ARRAY(Tensor *, (size_t)graph->tensors.count),
        .steps = graph->input->shape.dim[0],
    };
    *deriver.to = (Graph){
        .name = graph->name,
        .sequence = graph,
        .program = graph->program,
        .parameters = graph->parameters,
        .derived = graph->derived,
        .input_span = graph->input_span,
    };
    Input input = graph->inputs.items[0];
    input.tensor = deriver.to->input = row_of(&deriver, graph->input);
    push(&deriver.to->inputs, input);
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (!needed[i] || node->stage != STAGE_FORWARD)
            continue;
        if (!derive(&deriver, node)) {
            *obstacle = node;
            return NULL;
        }
    }
    deriver.to->output = deriver.rows[graph->output->id];
    return deriver.to;
}
