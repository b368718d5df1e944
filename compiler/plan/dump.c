/* A plan as text, for `--dump=plan`: a line for each part of a step, with where what it
 * touches lies. */
#include "plan/plan.h"

static const char *space_name(Space space)
{
    switch (space) {
    case SPACE_NONE:
        return "none";
    case SPACE_INPUT:
        return "input";
    case SPACE_SCRATCH:
        return "scratch";
    case SPACE_KEPT:
        return "kept";
    case SPACE_FILTERS:
        return "filters";
    }
    unreachable();
}

static void dump_access(const Plan *plan, const Access *access, bool in_register, FILE *out)
{
    const Placement *placement = &plan->placements[access->tensor->id];
    fprintf(out, " %s%s %s%s", access->write ? "->" : "", access->tensor->name,
            in_register ? "register" : space_name(placement->space), access->all_grains ? "*" : "");
    if (!in_register && (placement->space == SPACE_SCRATCH || placement->space == SPACE_KEPT))
        fprintf(out, "+%lld", placement->address);
}

/* Whether a kernel of its own does what the node does. */
static bool has_own_step(const Plan *plan, const Node *node)
{
    for (int i = 0; i < plan->steps.count; i++)
        if (step_node(plan->steps.items[i])->stage == node->stage
            && step_node(plan->steps.items[i])->path == node->path)
            return true;
    return false;
}

/* A pool whose gradient another step makes, too, has no line of its own: who reads through its
 * windows reads what it reads. */
static bool is_shown(const Plan *plan, const Step *step, int part)
{
    return part > 0 || step->parts.items[part].role != PART_POOL
           || !has_own_step(plan, step->parts.items[part].node);
}

static void dump_accesses(const Plan *plan, const Step *step, int part, bool writes, FILE *out)
{
    AccessList accesses = {0};
    part_accesses(&step->parts.items[part], plan->training, &accesses);
    for (int i = 0; i < accesses.count; i++) {
        Access access = accesses.items[i];
        if (access.write != writes)
            continue;
        bool in_register =
            flows(step, part, &access) && (access.write || takes_all(&step->parts.items[part]));
        if (in_register && !is_shown(plan, step, access.write ? part + 1 : part - 1))
            continue;
        access.tensor = step_tensor(step, access.tensor);
        dump_access(plan, &access, in_register, out);
    }
}

/* The sums that a norm's statistics begin with are read by its own line. */
static void dump_part(const Plan *plan, const Step *step, int number, bool then, FILE *out)
{
    const Part *part = &step->parts.items[number];
    bool main = part->role == PART_MAIN;
    fprintf(out, "  %s%s %s%s:", then ? "then " : "",
            main || step->recompute ? step_stage(step) : stage_name(part->node->stage),
            part->node->path, main && plan_skips(plan, step) ? " (view)" : "");
    if (main && number == 1 && !is_shown(plan, step, 0))
        dump_accesses(plan, step, 0, false, out);
    dump_accesses(plan, step, number, false, out);
    for (int i = number + 1; main && i < step->parts.count; i++)
        if (step->parts.items[i].role == PART_STATISTICS)
            dump_accesses(plan, step, i, false, out);
    dump_accesses(plan, step, number, true, out);
    fputc('\n', out);
}

static void dump_workspace(const Plan *plan, const Tensor *workspace, FILE *out)
{
    const Placement *placement = &plan->placements[workspace->id];
    fprintf(out, "  in memory %s+%lld, %lld vectors\n", space_name(placement->space),
            placement->address, shape_elements(workspace->shape));
}

static void dump_filters(const Plan *plan, const Step *step, FILE *out)
{
    bool makes = step_node(step)->stage == STAGE_FILTERS;
    fprintf(out, "  %s filters+%lld, %lld vectors\n", makes ? "makes" : "with",
            plan->placements[step->filters->id].address, shape_elements(step->filters->shape));
}

/* One line for each part, but for a pool whose gradient another step makes as well. */
static void dump_step(const Plan *plan, const Step *step, FILE *out)
{
    const Tensor *workspace = step->workspace;
    bool then = false;
    for (int i = 0; i < step->parts.count; i++) {
        const Part *part = &step->parts.items[i];
        bool after = part->role == PART_SUMS || part->role == PART_LOSS;
        if (part->role == PART_STATISTICS || !is_shown(plan, step, i))
            continue;
        if (workspace && after) {
            dump_workspace(plan, workspace, out);
            workspace = NULL;
        }
        dump_part(plan, step, i, then, out);
        then = true;
    }
    if (workspace)
        dump_workspace(plan, workspace, out);
    if (step->filters)
        dump_filters(plan, step, out);
    if (step->splits)
        fprintf(out, "  in pieces, some %.0f us\n", step->seconds * 1e6);
}

/* ------------------------------------- what the runtime does around the kernels */

/* Images that come as bytes: transposed into lanes, then from 0 … 255 to what `normalize` makes of
 * them. */
static void dump_load(const Plan *plan, const Tensor *input, FILE *out)
{
    const char *name = input->name;
    bool at_once = plan->fuse & FUSE_LOAD;
    const char *between = at_once ? "register" : space_name(SPACE_INPUT);
    fprintf(out, "  load %s: ->%s %s\n", name, name, between);
    fprintf(out, "  %snormalize %s: %s %s ->%s input\n", at_once ? "then " : "", name, name,
            between, name);
}

static bool is_moved(const Parameter *parameter)
{
    return parameter->kind == PARAMETER_TRAINED && !parameter->frozen;
}

static void dump_move(const Parameter *parameter, bool at_once, FILE *out)
{
    fprintf(out, "  %supdate %s: d %s %s\n", at_once ? "then " : "", parameter->path,
            parameter->path, at_once ? "cache" : "gradients");
}

/* Who sums a gradient over the whole batch moves what it is of. */
static void dump_early_moves(const Plan *plan, const Node *node, FILE *out)
{
    if (node->stage != STAGE_BACKWARD_PARAMETERS || !node->whole_batch
        || !updates_at_once(plan->graph, plan->fuse))
        return;
    for (int i = 0; i < node->parameters.count; i++)
        if (is_moved(node->parameters.items[i]) && !(node->awaits & 1u << i))
            dump_move(node->parameters.items[i], true, out);
}

/* Of a parameter of several layers: that the first one's gradients are there. */
static void dump_added(const Node *node, FILE *out)
{
    for (int i = 0; i < node->parameters.count; i++)
        if (node->adds & 1u << i)
            fprintf(out, "  added to d %s\n", node->parameters.items[i]->path);
}

/* After all phases: one pass over what is left, or a pass of sums and one of moves. */
static void dump_update(const Plan *plan, FILE *out)
{
    bool at_once = updates_at_once(plan->graph, plan->fuse);
    fprintf(out, "update\n");
    for (int i = 0; i < plan->graph->parameters.count; i++) {
        const Parameter *parameter = plan->graph->parameters.items[i];
        if (!is_moved(parameter) || parameter->whole_batch)
            continue;
        fprintf(out, "  sum %s: d %s gradients* ->d %s %s\n", parameter->path, parameter->path,
                parameter->path, at_once ? "cache" : "gradients");
        if (at_once)
            dump_move(parameter, true, out);
    }
    for (int i = 0; i < plan->graph->parameters.count && !at_once; i++)
        if (is_moved(plan->graph->parameters.items[i]))
            dump_move(plan->graph->parameters.items[i], false, out);
}

void dump_plan(const Plan *plan, FILE *out)
{
    fprintf(out,
            "%s: %d phase%s, lanes %d, scratch %lld, kept %lld, filters %lld, lower bound %lld\n",
            plan_name(plan), plan->phases, plan->phases == 1 ? "" : "s", plan->lanes,
            plan->scratch_elements, plan->kept_elements, plan->filter_elements, plan->lower_bound);
    for (int i = 0; i < plan->steps.count; i++) {
        const Step *step = plan->steps.items[i];
        if (i == 0 || step->phase != plan->steps.items[i - 1]->phase)
            fprintf(out, "phase %d\n", step->phase);
        for (int k = 0; i == 0 && plan->lanes > 1 && k < plan->graph->inputs.count; k++)
            dump_load(plan, plan->graph->inputs.items[k].tensor, out);
        dump_step(plan, step, out);
        dump_added(step_node(step), out);
        dump_early_moves(plan, step_node(step), out);
    }
    if (plan->training)
        dump_update(plan, out);
}
