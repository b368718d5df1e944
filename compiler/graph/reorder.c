/* Reorders `relu, max_pool2d` to `max_pool2d, relu`.
 *
 * Requires a checked graph without gradients.  The activation then goes over a
 * quarter of the values, or fewer, and so does its gradient; and it can be done
 * where the maximum is stored.  Nothing else changes: an activation that never
 * descends picks the same maximum from either side.  What it maps to one value
 * (relu: all that is negative) has no gradient there, so it does not matter which
 * of the equals the maximum notes.  The nodes are replaced, not changed: a
 * listing of the layers may keep the old ones.
 */
#include "netc.h"

static int count_readers(const Graph *graph, const Tensor *tensor)
{
    int readers = tensor == graph->output;
    for (int i = 0; i < graph->nodes.count; i++)
        for (int k = 0; k < graph->nodes.items[i]->inputs.count; k++)
            readers += graph->nodes.items[i]->inputs.items[k] == tensor;
    return readers;
}

/* The activation whose output only this node reads, straight before it; NULL: none. */
static const Node *activation_before(const Graph *graph, const Node *node)
{
    const Node *before = node->id > 0 ? graph->nodes.items[node->id - 1] : NULL;
    if (!before || !before->out || node->inputs.items[0] != before->out || !(before->op->traits & OP_ASCENDS)
        || count_readers(graph, before->out) != 1)
        return NULL;
    return before;
}

static void moved_node(Graph *graph, const Node *node, int id, Tensor *input, Tensor *out)
{
    Node *moved = NEW(Node);
    *moved = *node;
    moved->id = id;
    moved->inputs.items = NULL;
    moved->inputs.count = moved->inputs.capacity = 0;
    push(&moved->inputs, input);
    moved->out = out;
    moved->out_shape = out->shape;
    out->producer = moved;
    graph->nodes.items[id] = moved;
}

/* x -> activation -> pool -> y becomes x -> pool -> activation -> y. */
static void swap(Graph *graph, const Node *activation, const Node *pool)
{
    Tensor *x = activation->inputs.items[0], *y = pool->out;
    Tensor *pooled = new_tensor(graph, TENSOR_ACTIVATION, y->name, y->shape);
    y->name = activation->out->name;
    int first = activation->id;
    moved_node(graph, pool, first, x, pooled);
    moved_node(graph, activation, first + 1, pooled, y);
}

void pool_before_activation(Graph *graph)
{
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *pool = graph->nodes.items[i], *activation;
        while (pool->op->selects && pool->op->selects(pool) && (activation = activation_before(graph, pool))) {
            swap(graph, activation, pool);
            pool = graph->nodes.items[activation->id];
        }
    }
}
