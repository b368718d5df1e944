/* A batch norm in evaluation scales and shifts each channel: in the program for one image,
 * which packs its weights anyhow, the layer before it takes that into them. */
#include "ops/ops.h"
#include "plan/fuse/fuse.h"

static bool takes_norm(const Step *step)
{
    const Node *node = step_node(step);
    return node->stage == STAGE_FORWARD && node->op && (node->op->traits & OP_FOLDABLE)
           && can_do_image(node->forward) && step->parts.count == 1;
}

void fold_norm(Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = node_at(fusion, position);
    if (plan->lanes > 1 || plan->training || node->stage != STAGE_FORWARD
        || !(node->op->traits & OP_AFFINE))
        return;
    Region x = region_of(plan, node->inputs.items[0]);
    int maker = last_write(fusion, x, position), end = plan->steps.count + 1;
    if (maker < 0 || !takes_norm(plan->steps.items[maker])
        || !same_region(region_of(plan, node_at(fusion, maker)->out), x)
        || is_used(fusion, x, maker + 1, position, false)
        || is_used(fusion, x, position + 1, end, false))
        return;
    take_over(fusion, maker, position, PART_AFFINE, 0, node->inputs.items[0]);
}
