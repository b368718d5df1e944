/* Lowering: a layer that is many products, some of all steps at once and some of one after the
 * other, becomes a node for each, so that every one has the kernel, the phase and the memory that
 * suit it.
 *
 * Requires a checked graph without gradients.  The nodes that stay are the same, under other
 * numbers.
 */
#include "graph/graph.h"

static bool is_lowered(const Graph *graph)
{
    for (int i = 0; i < graph->nodes.count; i++)
        if (graph->nodes.items[i]->op->lower)
            return false;
    return true;
}

void lower_nodes(Graph *graph)
{
    const Graph before = *graph;
    if (is_lowered(graph))
        return;
    graph->nodes.items = NULL;
    graph->nodes.count = graph->nodes.capacity = 0;
    for (int i = 0; i < before.nodes.count; i++) {
        Node *node = before.nodes.items[i];
        if (node->op->lower) {
            node->op->lower(graph, node);
        } else {
            node->id = graph->nodes.count;
            push(&graph->nodes, node);
        }
    }
}
