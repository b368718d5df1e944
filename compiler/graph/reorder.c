/* Reorders what a pool follows to follow the pool: it then goes over a quarter of
 * the values, or fewer, and so does its gradient.
 *
 * Requires a checked graph without gradients.  An activation that never descends
 * picks the same maximum from either side, so `relu, max_pool2d` becomes
 * `max_pool2d, relu`, which can besides be done where the maximum is stored; what
 * the activation maps to one value (relu: all that is negative) has no gradient
 * there, so it does not matter which of the equals the maximum notes.  A 1 × 1
 * convolution sums over channels and a mean over positions, and which sum is the
 * inner one is only a matter of rounding, so `conv2d(c, 1), avg_pool2d` becomes
 * `avg_pool2d, conv2d(c, 1)`, where that is less work.  The nodes are replaced, not
 * changed: a listing of the layers may keep the old ones.
 */
#include "graph/graph.h"

typedef struct Readers {
    int *of, count;
} Readers; /* by tensor id */

static Readers count_readers(const Graph *graph)
{
    Readers readers = {NEW_ARRAY(int, (size_t)graph->tensors.count), graph->tensors.count};
    readers.of[graph->output->id]++;
    for (int i = 0; i < graph->outputs.count; i++)
        readers.of[graph->outputs.items[i].tensor->id]++;
    for (int i = 0; i < graph->nodes.count; i++)
        for (int k = 0; k < graph->nodes.items[i]->inputs.count; k++)
            readers.of[graph->nodes.items[i]->inputs.items[k]->id]++;
    return readers;
}

/* A swap leaves the counts right, and what it makes has one reader. */
static bool has_one_reader(const Readers *readers, const Tensor *tensor)
{
    return tensor->id >= readers->count || readers->of[tensor->id] == 1;
}

enum { MAX_SWAPS = 16 };        /* of one pool: nobody writes as many activations before it */
enum { POOLED_VALUE_COST = 8 }; /* in multiply-adds of a convolution, which wait for memory less */

/* Whether a pointwise layer and the pool together cost less when the pool comes first. */
static bool costs_less_after(const Node *pointwise, const Node *pool)
{
    if (!pointwise->op->is_pointwise || !pointwise->op->is_pointwise(pointwise)
        || !pool->op->is_mean_pool || !pool->op->is_mean_pool(pool))
        return false;
    Int before = shape_elements(pointwise->out->shape), after = shape_elements(pool->out->shape);
    Int saved = pointwise->op->multiply_adds(pointwise) / before * (before - after);
    return saved > POOLED_VALUE_COST * (shape_elements(pointwise->inputs.items[0]->shape) - before);
}

/* Whether the pool may come first. */
static bool commutes(const Node *node, const Node *pool)
{
    if (pool->op->is_max_pool && pool->op->is_max_pool(pool))
        return node->op->traits & OP_MONOTONE;
    return costs_less_after(node, pool);
}

/* What only this pool reads, straight before it, and had better come after it; NULL: nothing. */
static const Node *delayed_by(const Graph *graph, const Readers *readers, const Node *pool)
{
    const Node *before = pool->id > 0 ? graph->nodes.items[pool->id - 1] : NULL;
    if (!before || !before->out || first_input(pool) != before->out || !commutes(before, pool)
        || !has_one_reader(readers, before->out))
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
    moved->written_multiply_adds = node_multiply_adds(node);
    out->producer = moved;
    graph->nodes.items[id] = moved;
}

/* x -> node -> pool -> y becomes x -> pool -> node -> y. */
static void swap(Graph *graph, const Node *node, const Node *pool)
{
    Tensor *x = node->inputs.items[0], *y = pool->out;
    Tensor *pooled =
        new_tensor(graph, TENSOR_ACTIVATION, y->name, shape_with(y->shape, 0, x->shape.dim[0]));
    y->name = node->out->name;
    int first = node->id;
    moved_node(graph, pool, first, x, pooled);
    moved_node(graph, node, first + 1, pooled, y);
}

void pool_first(Graph *graph)
{
    Readers readers = count_readers(graph);
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *pool = graph->nodes.items[i], *delayed;
        for (int swaps = 0; swaps < MAX_SWAPS && (delayed = delayed_by(graph, &readers, pool));
             swaps++) {
            swap(graph, delayed, pool);
            pool = graph->nodes.items[delayed->id];
        }
    }
}
