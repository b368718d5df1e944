/* A loss stores its input's gradient at once, while it has the softmax, or its like, at hand;
 * and who makes all of a grain's logits computes their loss, too. */
#include "plan/fuse/fuse.h"

static bool makes_gradient(const Node *node, Stage stage)
{
    return node->stage == stage && (node->op->traits & OP_MAKES_GRADIENT)
           && node->inputs.count == 1;
}

/* The position before `position` at which the loss of this gradient is computed; -1: none is. */
static int find_loss(const Fusion *fusion, int position)
{
    const char *path = node_at(fusion, position)->path;
    for (int i = position - 1; i >= 0; i--) {
        const Step *step = fusion->plan->steps.items[i];
        if (step && step_node(step)->stage == STAGE_FORWARD && step_node(step)->path == path)
            return i;
    }
    return -1;
}

void fuse_loss(Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = node_at(fusion, position);
    if (!makes_gradient(node, STAGE_BACKWARD_INPUT) || node->accumulate)
        return;
    int maker = find_loss(fusion, position);
    if (maker < 0 || is_used(fusion, region_of(plan, node->dx), maker, position, false)
        || is_used(fusion, region_of(plan, node->inputs.items[0]), maker, position, true))
        return;
    take_over(fusion, maker, position, PART_GRADIENT, -1, node->aux);
}

/* Whether the step at `maker` makes all that the loss reads, grain by grain. */
static bool makes_logits(const Fusion *fusion, int maker, const Node *loss)
{
    const Plan *plan = fusion->plan;
    const Node *layer = maker < 0 ? NULL : node_at(fusion, maker);
    return layer && layer->stage == STAGE_FORWARD && layer->op->multiply_adds && !layer->whole_batch
           && same_region(region_of(plan, step_result(plan->steps.items[maker])),
                          region_of(plan, loss->inputs.items[0]));
}

void fuse_logits(Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    const Node *loss = node_at(fusion, position),
               *gradient = part_node(plan->steps.items[position], PART_GRADIENT);
    if (!makes_gradient(loss, STAGE_FORWARD))
        return;
    int maker = last_write(fusion, region_of(plan, loss->inputs.items[0]), position);
    if (!makes_logits(fusion, maker, loss) || part_node(plan->steps.items[maker], PART_LOSS)
        || (gradient && is_used(fusion, region_of(plan, gradient->dx), maker, position, false)))
        return;
    take_over(fusion, maker, position, PART_LOSS, 0, loss->inputs.items[0]);
}
