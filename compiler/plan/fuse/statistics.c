/* A norm's sums: over its input, those of channels that an earlier norm has summed are taken
 * from there (a concat's channels are those of its inputs); over a gradient, whoever stores
 * the gradient makes them. */
#include "plan/fuse/fuse.h"

/* Its channels begin at `first`. */
typedef struct Slice {
    const Tensor *tensor;
    Int first;
} Slice;
typedef LIST(Slice) SliceList;

/* Its inputs, the last first: who takes from the end of the list takes them in order. */
static void add_slices(SliceList *slices, const Node *concat, Int first)
{
    for (int i = 0; i < concat->inputs.count; i++)
        first += concat->inputs.items[i]->shape.dim[0];
    for (int i = concat->inputs.count - 1; i >= 0; i--) {
        first -= concat->inputs.items[i]->shape.dim[0];
        push(slices, ((Slice){concat->inputs.items[i], first}));
    }
}

/* Lists which channels of the step's input have been summed: all at once, or as
 * slices of a concat, which may be of concats, thousands deep. */
static void reuse_sums(Fusion *fusion, Step *step)
{
    const Node *node = step_node(step);
    SliceList slices = {0};
    push(&slices, ((Slice){node->inputs.items[0], 0}));
    while (slices.count) {
        Slice slice = slices.items[--slices.count];
        const Node *earlier = fusion->summed[slice.tensor->id], *producer = slice.tensor->producer;
        if (earlier)
            push(&step->parts, ((Part){earlier, PART_STATISTICS, (int)slice.first, NULL}));
        else if (producer && (node_traits(producer) & OP_CONCATENATES))
            add_slices(&slices, producer, slice.first);
    }
    if (!fusion->summed[node->inputs.items[0]->id])
        fusion->summed[node->inputs.items[0]->id] = node;
}

/* Whether the step at `maker`, which stores its dy, can make the sums of the one at `position`:
 * both have the same channels, though a view may lie between them. */
static bool can_sum(const Fusion *fusion, int maker, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = node_at(fusion, position),
               *stores = maker < 0 ? NULL : node_at(fusion, maker);
    return stores && stores->stage == STAGE_BACKWARD_INPUT && stores->op->can_fuse_sums
           && stores->op->can_fuse_sums(stores, node)
           && !part_node(plan->steps.items[maker], PART_SUMS)
           && shape_equal(node_result(stores)->shape, node->dy->shape)
           && same_region(region_of(plan, step_result(plan->steps.items[maker])),
                          region_of(plan, node->dy))
           && !is_used(fusion, region_of(plan, node->inputs.items[0]), maker, position, true);
}

void fuse_statistics(Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = node_at(fusion, position);
    if (node->stage == STAGE_STATISTICS && (node->op->traits & OP_STATISTICS))
        reuse_sums(fusion, plan->steps.items[position]);
    if (node->stage != STAGE_BACKWARD_PARAMETERS || !(node->op->traits & OP_SUMS_GRADIENT))
        return;
    int maker = last_write(fusion, region_of(plan, node->dy), position);
    if (!can_sum(fusion, maker, position))
        return;
    take_over(fusion, maker, position, PART_SUMS, -1, node->dy);
}
