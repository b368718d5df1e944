/* The plan of one program, training or inference: its schedule, what of
 * it is done in one kernel, its memory; and the targets that kernels are written for. */
#include "netc.h"

#include <string.h>

Plan *make_plan(Graph *graph, bool training, int lanes, unsigned fuse)
{
    Plan *plan = NEW(Plan);
    plan->graph = graph;
    plan->training = training;
    plan->lanes = lanes;
    plan->fuse = fuse;
    place_parameters(graph);
    make_schedule(plan);
    fuse_plan(plan);
    make_phases(plan);
    recompute_activations(plan);
    give_work(plan);
    place_tensors(plan);
    return plan;
}

const char *plan_name(const Plan *plan)
{
    return plan->training ? "training" : plan->lanes == 1 ? "single" : "inference";
}

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
    }
    unreachable();
}

const char *stage_name(Stage stage)
{
    switch (stage) {
    case STAGE_FORWARD:
        return "forward";
    case STAGE_STATISTICS:
        return "statistics";
    case STAGE_BACKWARD_INPUT:
        return "backward_input";
    case STAGE_BACKWARD_PARAMETERS:
        return "backward_parameters";
    case STAGE_ACCUMULATE:
        return "accumulate";
    case STAGE_COPY:
        return "copy";
    }
    unreachable();
}

const char *node_stage(const Node *node)
{
    return node->again ? "recompute" : stage_name(node->stage);
}

static void dump_access(const Plan *plan, const Access *access, bool in_register, FILE *out)
{
    const Placement *place = &plan->places[access->tensor->id];
    fprintf(out, " %s%s %s%s", access->write ? "->" : "", access->tensor->name,
            in_register ? "register" : space_name(place->space), access->all_grains ? "*" : "");
    if (!in_register && (place->space == SPACE_SCRATCH || place->space == SPACE_KEPT))
        fprintf(out, "+%lld", place->place);
}

/* `taken` and `left` are what the node takes from a register, and leaves in one; NULL: nothing.
 * `then`: the kernel of the step before does it. */
static void dump_step(const Plan *plan, const Node *node, bool then, const Tensor *taken,
                      const Tensor *left, FILE *out)
{
    AccessList accesses = {0};
    fprintf(out, "  %s%s %s%s:", then ? "then " : "", node_stage(node), node->path,
            plan_skips(plan, node) ? " (view)" : "");
    node_accesses(node, plan->training, &accesses);
    for (int i = 0; i < accesses.count; i++) {
        const Access *access = &accesses.items[i];
        dump_access(plan, access, access->write ? access->tensor == left : access->tensor == taken,
                    out);
    }
    fputc('\n', out);
}

/* Whether a kernel of its own does what the node does. */
static bool is_scheduled(const Plan *plan, const Node *node)
{
    for (int i = 0; i < plan->schedule.count; i++)
        if (plan->schedule.items[i]->stage == node->stage
            && plan->schedule.items[i]->path == node->path)
            return true;
    return false;
}

/* One line for the node, and one for each whose work is done on what it stores;
 * before it, one for the pool whose gradient it sees only through its windows. */
static void dump_node(const Plan *plan, const Node *node, bool then, FILE *out)
{
    Node alone = unfused(node);
    alone.finishes.count = 0;
    alone.sums = NULL;
    alone.work = NULL;
    alone.gradient = NULL;
    alone.loss = NULL;
    const Tensor *left = node->finishes.count ? node->finishes.items[0].stored
                         : node->gradient     ? node->aux
                                              : NULL;
    bool through = node->pool && !is_scheduled(plan, node->pool);
    if (through) {
        alone.pool = NULL;
        dump_step(plan, node->pool, false, NULL, node->pool->dx, out);
    }
    dump_step(plan, &alone, then || through, through ? node->dy : NULL, left, out);
    for (int i = 0; i < node->finishes.count; i++) {
        const Finish *finish = &node->finishes.items[i];
        const Tensor *left = i + 1 < node->finishes.count ? finish[1].stored : NULL;
        dump_step(plan, finish->node, true, finish_takes(finish), left, out);
    }
    if (node->gradient)
        dump_step(plan, node->gradient, true, node->aux, NULL, out);
    if (node->work)
        fprintf(out, "  in memory %s+%lld, %lld vectors\n",
                space_name(plan->places[node->work->id].space), plan->places[node->work->id].place,
                shape_elements(node->work->shape));
    if (node->sums) /* of what has been stored */
        dump_step(plan, node->sums, true, NULL, NULL, out);
    if (node->loss)
        dump_node(plan, node->loss, true, out);
}

/* ------------------------------------- what the runtime does around the kernels */

bool updates_at_once(const Graph *graph, unsigned fuse)
{
    return (fuse & FUSE_UPDATE) && !find_setting(graph, "clip.norm")
           && !find_setting(graph, "clip.value");
}

/* Images that come as bytes: turned to lanes, then from 0 … 255 to what `normalize` makes of
 * them. */
static void dump_load(const Plan *plan, FILE *out)
{
    const char *name = plan->graph->input->name;
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
        if (is_moved(node->parameters.items[i]))
            dump_move(node->parameters.items[i], true, out);
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
    fprintf(out, "%s: %d phase%s, lanes %d, scratch %lld, kept %lld, lower bound %lld\n",
            plan_name(plan), plan->phases, plan->phases == 1 ? "" : "s", plan->lanes,
            plan->scratch_elements, plan->kept_elements, plan->lower_bound);
    for (int i = 0; i < plan->schedule.count; i++) {
        if (i == 0 || plan->phase_of.items[i] != plan->phase_of.items[i - 1])
            fprintf(out, "phase %d\n", plan->phase_of.items[i]);
        if (i == 0 && plan->lanes > 1)
            dump_load(plan, out);
        dump_node(plan, plan->schedule.items[i], false, out);
        dump_early_moves(plan, plan->schedule.items[i], out);
    }
    if (plan->training)
        dump_update(plan, out);
}

/* x86-64-v4 has AVX-512, v3 AVX2 with FMA, v2 and below 16-byte SSE; the
 * portable target says nothing of the machine and lets the C compiler lower
 * 16-byte vectors to what there is. */
static const Target targets[] = {
    {"x86-64-v4", "-march=x86-64-v4", 64, 32},
    {"x86-64-v3", "-march=x86-64-v3", 32, 16},
    {"x86-64-v2", "-march=x86-64-v2", 16, 16},
    {"x86-64", "-march=x86-64", 16, 16},
    {"portable", "", 16, 16},
};

static Target native_target(void)
{
    /* Tuned for Zen 2 or 3, gcc takes some chains of fused multiply-adds apart and leaves others
     * whole: it is slower here, and two kernels for one sum would not round alike. */
    Target native = {"native", "-march=native -mtune=generic", 16, 16};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl")) {
        native.vector_bytes = 64;
        native.registers = 32;
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        native.vector_bytes = 32;
    }
#elif defined(__aarch64__)
    native.registers = 32;
#endif
    return native;
}

bool find_target(const char *name, Target *target)
{
    if (strcmp(name, "native") == 0) {
        *target = native_target();
        return true;
    }
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (strcmp(name, targets[i].name) == 0) {
            *target = targets[i];
            return true;
        }
    Diagnostic *d = diag(SEVERITY_ERROR, "usage", (Span){0}, "unknown target `%s`", name);
    diag_help(d, "the targets are native, x86-64-v4, x86-64-v3, x86-64-v2, x86-64 and portable");
    return false;
}
