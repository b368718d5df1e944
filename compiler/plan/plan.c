/* The plan of one program, training or inference: its steps, what of it is done in one
 * kernel, its memory. */
#include "plan/plan.h"

Plan *make_plan(const Graph *graph, bool training, int lanes, unsigned fuse, bool for_ranks)
{
    Plan *plan = NEW(Plan);
    plan->graph = graph;
    plan->training = training;
    plan->lanes = lanes;
    plan->fuse = fuse;
    plan->for_ranks = for_ranks;
    make_steps(plan);
    fuse_steps(plan);
    make_phases(plan);
    recompute_activations(plan);
    give_workspaces(plan);
    add_filter_steps(plan);
    place_tensors(plan);
    return plan;
}

const char *plan_name(const Plan *plan)
{
    return plan->training          ? "training"
           : plan->lanes > 1       ? "inference"
           : plan->graph->sequence ? "row"
                                   : "single";
}

bool updates_at_once(const Graph *graph, unsigned fuse)
{
    return (fuse & FUSE_UPDATE) && !graph->derived.count && !find_setting(graph, "clip.norm")
           && !find_setting(graph, "clip.value");
}
