/* The plan of one program, training or inference: its steps, what of it is done in one
 * kernel, its memory. */
#include "plan/plan.h"

void give_workspaces(Plan *plan)
{
    for (int i = 0; i < plan->steps.count; i++) {
        Step *step = plan->steps.items[i];
        const Node *node = step_node(step);
        if (!(plan->fuse & FUSE_WINOGRAD) || plan->lanes == 1 || !node->op || !node->op->workspace
            || node->whole_batch)
            continue;
        Int vectors = node->op->workspace(node, part_node(step, PART_POOL), plan->lanes);
        if (vectors)
            step->workspace = plan_tensor(plan, TENSOR_AUX, format("%s work", node->path),
                                          shape_of(1, vectors, 1, 1));
    }
}

Plan *make_plan(const Graph *graph, bool training, int lanes, unsigned fuse)
{
    Plan *plan = NEW(Plan);
    plan->graph = graph;
    plan->training = training;
    plan->lanes = lanes;
    plan->fuse = fuse;
    make_steps(plan);
    fuse_steps(plan);
    make_phases(plan);
    recompute_activations(plan);
    give_workspaces(plan);
    place_tensors(plan);
    return plan;
}

const char *plan_name(const Plan *plan)
{
    return plan->training ? "training" : plan->lanes == 1 ? "single" : "inference";
}

bool updates_at_once(const Graph *graph, unsigned fuse)
{
    return (fuse & FUSE_UPDATE) && !find_setting(graph, "clip.norm")
           && !find_setting(graph, "clip.value");
}
