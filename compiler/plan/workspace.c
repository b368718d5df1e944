/* workspace.c: what kernels need besides their operands: memory that they use meanwhile, and
 * weights transformed to what they multiply with.
 *
 * A step's weights are the same for all grains, so they are transformed once, before
 * the first phase, by steps of their own for the whole batch.  Where what becomes of them is so
 * large that a core's cache holds it only just after it was made, each grain's kernel makes it
 * anew; weights that only get another order are read as the weights would be, however many.
 */
#include "plan/plan.h"

/* Bytes of all filters that are more than the weights: a part of a third-level cache that cores
 * share. */
enum { MAX_FILTERS = 12 << 20 };

static Int filter_bytes(const Plan *plan, Int vectors)
{
    return vectors * plan->lanes * (Int)sizeof(float);
}

/* Whether they are about as many as the weights themselves, and only lie in another order. */
static bool are_copies(const Plan *plan, const Node *node, Int vectors)
{
    return 4 * vectors * plan->lanes <= 5 * weights_of(node);
}

/* `all`: bytes that other steps' take. */
static void give_filters(Plan *plan, Step *step, Int *all)
{
    const Node *node = step_node(step);
    if (!(plan->fuse & FUSE_FILTERS) || !node->op->filters)
        return;
    Int vectors = node->op->filters(node, part_node(step, PART_POOL), plan->lanes),
        bytes = filter_bytes(plan, vectors);
    bool copies = are_copies(plan, node, vectors);
    if (!vectors || (!copies && *all + bytes > MAX_FILTERS))
        return;
    *all += copies ? 0 : bytes;
    step->filters = plan_tensor(plan, TENSOR_FILTERS, format("%s filters", node->path),
                                shape_of(1, vectors, 1, 1));
}

static void give_workspace(Plan *plan, Step *step)
{
    const Node *node = step_node(step);
    Int vectors =
        node->op->workspace(node, part_node(step, PART_POOL), plan->lanes, step->filters != NULL);
    if (vectors)
        step->workspace = plan_tensor(plan, TENSOR_AUX, format("%s work", node->path),
                                      shape_of(1, vectors, 1, 1));
}

void give_workspaces(Plan *plan)
{
    Int filters = 0;
    if (plan->lanes == 1)
        return;
    for (int i = 0; i < plan->steps.count; i++) {
        Step *step = plan->steps.items[i];
        const Node *node = step_node(step);
        if (!node->op || !node->op->workspace)
            continue;
        if (node->whole_batch) {
            give_workspace(plan, step);
        } else if (plan->fuse & FUSE_WINOGRAD) {
            give_filters(plan, step, &filters);
            give_workspace(plan, step);
        }
    }
}

/* The same layer's, of the same stage; but its work is its filters, for the whole batch. */
static Step *filters_step(const Step *step)
{
    Node *node = NEW(Node);
    *node = *step_node(step);
    node->stage = STAGE_FILTERS;
    node->whole_batch = true;
    Step *filters = new_step(node);
    filters->filters = step->filters;
    filters->makes = step;
    return filters;
}

void add_filter_steps(Plan *plan)
{
    Plan before = *plan;
    plan->steps.items = NULL;
    plan->steps.count = plan->steps.capacity = 0;
    for (int i = 0; i < before.steps.count; i++)
        if (before.steps.items[i]->filters)
            push(&plan->steps, filters_step(before.steps.items[i]));
    int phases = plan->steps.count > 0;
    for (int i = 0; i < before.steps.count; i++) {
        before.steps.items[i]->phase += phases;
        push(&plan->steps, before.steps.items[i]);
    }
    plan->phases += phases;
}
