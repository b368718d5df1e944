/* What goes element by element is done on each value before it is stored: the machinery of
 * activation.c, residual.c, gradient.c, pool.c, norm.c and fold.c. */
#include "ops/ops.h"
#include "plan/fuse/fuse.h"

enum { MAX_EPILOGUE = 64 }; /* of one kernel: its name and operands speak of each */

/* Not once sums are made of what it stores. */
static bool takes_epilogue(const Step *step)
{
    const Node *node = step_node(step);
    if (!node->op || part_node(step, PART_SUMS) || step_epilogue(step).count == MAX_EPILOGUE)
        return false;
    return (node->stage == STAGE_FORWARD && (node_traits(node) & OP_TAKES_EPILOGUE))
           || (node->stage == STAGE_BACKWARD_INPUT
               && (node_traits(node) & OP_TAKES_GRADIENT_EPILOGUE));
}

/* The tensor that would flow in, and does not exist: an input, or dy. */
static Tensor *flowing(const Node *node, int which)
{
    return which < 0 ? node->dy : node->inputs.items[which];
}

/* What `node` reads besides what flows through it is there when `maker` runs,
 * and still the same. */
static bool operands_are_there(const Fusion *fusion, const Node *node, int which, int maker,
                               int position)
{
    AccessList accesses = {0};
    node_accesses(node, fusion->plan->training, &accesses);
    const Tensor *flows = flowing(node, which), *result = node_result(node);
    for (int i = 0; i < accesses.count; i++) {
        const Tensor *tensor = accesses.items[i].tensor;
        if (tensor == flows
            || (accesses.items[i].write && (tensor == result || tensor == node->aux)))
            continue;
        Region region = region_of(fusion->plan, tensor);
        if (accesses.items[i].write || regions_overlap(region, region_of(fusion->plan, flows))
            || is_used(fusion, region, maker, position, true))
            return false;
        /* Its grains lie apart by another stride than the results'. */
        if (node_at(fusion, maker)->whole_batch && region.root->role == TENSOR_INPUT)
            return false;
    }
    return true;
}

/* add(x, x) reads what flows twice: its other operand would not exist. */
static bool flows_once(const Node *node, int which)
{
    for (int i = 0; which >= 0 && i < node->inputs.count; i++)
        if (i != which && node->inputs.items[i] == node->inputs.items[which])
            return false;
    return true;
}

/* A maximum over windows comes first of what is done, and only where the maker gives whole rows:
 * those of the pool's input, which may be a view of another shape. */
static bool hands_rows(const Step *maker, const Node *pool)
{
    const Node *node = step_node(maker);
    return shape_equal(step_result(maker)->shape, pool->inputs.items[0]->shape)
           && node->stage == STAGE_FORWARD && !step_epilogue(maker).count && node->op->can_fuse_pool
           && node->op->can_fuse_pool(node, pool);
}

bool is_affine_norm(const Fusion *fusion, int position)
{
    const Node *node = node_at(fusion, position);
    return !fusion->plan->training && node->stage == STAGE_FORWARD
           && (node->op->traits & OP_AFFINE);
}

/* A norm comes first of all, and only where every value is a sum of its channel's: the norm's
 * channels are the maker's, though a view may lie between them. */
static bool hands_sums(const Plan *plan, const Step *maker, const Node *norm)
{
    const Node *node = step_node(maker);
    return step_result(maker)->shape.dim[0] == norm->inputs.items[0]->shape.dim[0]
           && node->stage == STAGE_FORWARD && (node->op->traits & OP_FOLDABLE)
           && maker->parts.count == 1 && (plan->lanes > 1 || can_do_image(node->forward));
}

/* The position of the step that can do this one's work on what it stores; -1: none can. */
static int find_maker(const Fusion *fusion, int position, int which, PartRole role)
{
    const Plan *plan = fusion->plan;
    const Node *node = node_at(fusion, position);
    Region flows = region_of(plan, flowing(node, which)),
           result = region_of(plan, node_result(node));
    int maker = last_write(fusion, flows, position);
    if (maker < 0 || !takes_epilogue(plan->steps.items[maker]) || !flows_once(node, which)
        || !same_region(region_of(plan, step_result(plan->steps.items[maker])), flows))
        return -1;
    if (role == PART_POOL && !hands_rows(plan->steps.items[maker], node))
        return -1;
    if (role == PART_AFFINE && !hands_sums(plan, plan->steps.items[maker], node))
        return -1;
    int end = plan->steps.count + 1;
    if (is_used(fusion, flows, maker + 1, position, false)
        || !operands_are_there(fusion, node, which, maker, position))
        return -1;
    if (same_region(flows, result))
        return maker;
    bool adds = node_at(fusion, maker)->accumulate;
    bool seen = is_used(fusion, flows, position + 1, end, false)
                || is_used(fusion, result, maker, position, false);
    return adds || seen || regions_overlap(flows, result) ? -1 : maker;
}

void fuse_epilogue(Fusion *fusion, int position, PartRole role)
{
    const Node *node = node_at(fusion, position);
    int best = -1, best_which = -1, inputs = node->stage == STAGE_FORWARD ? node->inputs.count : 1;
    for (int i = 0; i < inputs; i++) {
        int which = node->stage == STAGE_FORWARD ? i : -1;
        int maker = find_maker(fusion, position, which, role);
        if (maker > best) {
            best = maker;
            best_which = which;
        }
    }
    if (best >= 0)
        take_over(fusion, best, position, role, best_which, flowing(node, best_which));
}
