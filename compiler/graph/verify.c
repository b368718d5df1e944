/* Checks what every pass promises the next.  A breach is our bug, never the
 * user's, so it ends the program with our own file and line. */
#include "graph/graph.h"

/* The gradients of all that a node takes, of which each is a view. */
static bool is_of_several(const Tensor *gradient)
{
    const Node *node = gradient->of->producer;
    return node && node->op->traits & OP_GRADIENTS_TOGETHER && gradient->base == gradient;
}

static void verify_tensor(const Tensor *tensor, int id)
{
    require(tensor->id == id);
    require(tensor->name);
    require(tensor->shape.rank >= 1 && tensor->shape.rank <= MAX_RANK);
    require(shape_elements(tensor->shape) > 0);
    require(tensor->base && tensor->offset >= 0);
    require(tensor->offset + shape_elements(tensor->shape) <= shape_elements(tensor->base->shape));
    if (tensor->role == TENSOR_GRADIENT)
        require(tensor->of
                && (shape_equal(tensor->of->shape, tensor->shape) || is_of_several(tensor)));
}

/* Inputs come from earlier nodes: the list is a topological order. */
static void verify_forward(const Node *node)
{
    require(node->op && node->path);
    require(node->out || (node->op->traits & OP_LOSS));
    require((node->inputs.count == 0) == !!(node->op->traits & OP_SOURCE));
    for (int i = 0; i < node->inputs.count; i++) {
        const Node *producer = node->inputs.items[i]->producer;
        require(!producer || producer->id < node->id);
    }
    if (node->out)
        require(node->out->producer == node && shape_equal(node->out->shape, node->out_shape));
}

static void verify_backward(const Node *node)
{
    require(node->forward && node->forward->stage == STAGE_FORWARD && node->forward->id < node->id);
    switch (node->stage) {
    case STAGE_BACKWARD_INPUT:
        require(node->dx && node->which < node->inputs.count);
        require(node->dx_at
                || shape_equal(node->dx->shape, node->inputs.items[node->which]->shape));
        require(node->dy || (node->op->traits & OP_LOSS));
        break;
    case STAGE_BACKWARD_PARAMETERS:
        require(node->dy);
        break;
    case STAGE_ADD_GRADIENTS:
        require(node->contribution && node->contribution_at);
        break;
    case STAGE_ACCUMULATE:
    case STAGE_COPY:
        require(node->dx && node->from);
        require(shape_elements(node->dx->shape) == shape_elements(node->from->shape));
        break;
    case STAGE_FORWARD:
    case STAGE_STATISTICS:
    case STAGE_FILTERS:
        unreachable();
    }
}

/* Every input's gradient is set before it is added to. */
static void verify_accumulation(const Graph *graph)
{
    bool *set = NEW_ARRAY(bool, (size_t)graph->tensors.count);
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (node->stage == STAGE_FORWARD || !node->dx)
            continue;
        bool adds = node->accumulate || node->stage == STAGE_ACCUMULATE;
        require(!adds || set[node->dx->id] || node->dx->base != node->dx);
        set[node->dx->id] = true;
    }
}

void verify_graph(const Graph *graph)
{
    for (int i = 0; i < graph->tensors.count; i++)
        verify_tensor(graph->tensors.items[i], i);
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        require(node->id == i);
        if (node->stage == STAGE_FORWARD)
            verify_forward(node);
        else
            verify_backward(node);
    }
    verify_accumulation(graph);
    require(graph->inputs.count > 0 && graph->input == graph->inputs.items[0].tensor);
    require(graph->output);
}
