/* A convolution's weight gradient reads a pooled gradient as it is, not spread out over the
 * windows; where nobody else wants the pool's own gradient, that is not made. */
#include "plan/fuse/fuse.h"

/* Whether the node at `position` can read what the pool at `maker` reads, instead of its dy: the
 * pool's windows lie in it, though a view may lie between them. */
static bool can_read_pooled(const Fusion *fusion, int maker, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = node_at(fusion, position), *pool = maker < 0 ? NULL : node_at(fusion, maker);
    return pool && pool->stage == STAGE_BACKWARD_INPUT && !pool->accumulate
           && !step_epilogue(plan->steps.items[maker]).count && pool->op->is_max_pool
           && pool->op->is_max_pool(pool) && node->op->can_fuse_pool_gradient(node, pool)
           && shape_equal(pool->dx->shape, node->dy->shape)
           && same_region(region_of(plan, pool->dx), region_of(plan, node->dy))
           && !is_used(fusion, region_of(plan, pool->dy), maker, position, true)
           && !is_used(fusion, region_of(plan, pool->aux), maker, position, true);
}

void fuse_pool_gradient(Fusion *fusion, int position)
{
    Plan *plan = fusion->plan;
    Step *step = plan->steps.items[position];
    const Node *node = step_node(step);
    if (node->stage != STAGE_BACKWARD_PARAMETERS || !node->op->can_fuse_pool_gradient
        || node->whole_batch)
        return;
    Region dy = region_of(plan, node->dy);
    int maker = last_write(fusion, dy, position), end = plan->steps.count + 1;
    if (!can_read_pooled(fusion, maker, position))
        return;
    const Node *pool = node_at(fusion, maker);
    Step *fused = NEW(Step);
    push(&fused->parts, ((Part){.node = pool, .role = PART_POOL}));
    push(&fused->parts, ((Part){.node = node, .role = PART_MAIN, .handed = node->dy}));
    plan->steps.items[position] = fused;
    note_use(fusion, pool->dy, position, false);
    note_use(fusion, pool->aux, position, false);
    if (!is_used(fusion, dy, maker + 1, position, false)
        && !is_used(fusion, dy, position + 1, end, false))
        plan->steps.items[maker] = NULL;
}
