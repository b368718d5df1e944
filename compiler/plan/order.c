/* Which nodes run, in which order, in which phase.
 *
 * Requires a graph, with gradients when the plan is for training.  Makes a step of each
 * node that runs and, once those are fused, their phases.
 *
 * The order is the graph's own: forward nodes as they were expanded, then
 * backward nodes as differentiation appended them, which its in-place gradients
 * rest on.  A phase ends only where the threads must have met: where a node
 * reads what every grain wrote (batch norm's statistics), and before and after
 * layers that are computed for the whole batch at once, which stand at the end
 * of a phase.  So a network without such nodes has one phase per step.  In a trainer for several
 * ranks a phase ends where a large gradient is whole, too, which then need not wait for the rest.
 */
#include "plan/plan.h"

/* ------------------------------------------------------- what is needed */

/* Marks what the result depends on, from the end: a layer whose output nobody
 * reads is not run. */
static bool *find_live(const Plan *plan)
{
    const Graph *graph = plan->graph;
    bool *live = NEW_ARRAY(bool, (size_t)graph->tensors.count);
    live[graph->output->id] = true;
    for (int i = 0; i < graph->outputs.count; i++)
        live[graph->outputs.items[i].tensor->id] = true;
    for (int i = 0; plan->training && i < graph->nodes.count; i++)
        if (graph->nodes.items[i]->stage == STAGE_FORWARD && !graph->nodes.items[i]->out)
            for (int k = 0; k < graph->nodes.items[i]->inputs.count; k++)
                live[graph->nodes.items[i]->inputs.items[k]->id] = true;
    for (int i = graph->nodes.count - 1; i >= 0; i--) {
        const Node *node = graph->nodes.items[i];
        if (node->stage != STAGE_FORWARD || !(node->out && live[node->out->id]))
            continue;
        for (int k = 0; k < node->inputs.count; k++)
            live[node->inputs.items[k]->id] = true;
    }
    return live;
}

static bool runs(const Plan *plan, const bool *live, const Node *node)
{
    if (node->stage != STAGE_FORWARD)
        return plan->training;
    if (!(node->op->traits & OP_LOSS))
        return live[node->out->id];
    for (int k = 0; k < node->inputs.count; k++)
        if (!live[node->inputs.items[k]->id])
            return false;
    return true; /* a test's loss is the network's own, too */
}

/* ---------------------------------------------------------------- order */

/* A training pass of a norm begins with sums over its input. */
static const Node *statistics_node(const Node *forward)
{
    Node *node = NEW(Node);
    *node = *forward;
    node->stage = STAGE_STATISTICS;
    node->forward = (Node *)forward;
    return node;
}

/* Where else its memory is said to be; NULL: it is its own. */
static Tensor *hands_on(const Plan *plan, const Tensor *tensor)
{
    if (tensor->root != tensor)
        return tensor->root;
    bool handed = tensor->role == TENSOR_ACTIVATION && tensor->producer
                  && node_is_skipped(plan, tensor->producer);
    return handed ? tensor->producer->inputs.items[0] : NULL;
}

/* All on the way from `tensor` to what is known, or to the end, are then known. */
static void find_memory_of(Plan *plan, Tensor *tensor)
{
    Tensor *end = tensor;
    Int offset = 0;
    for (Tensor *next; !plan->memory[end->id].root && (next = hands_on(plan, end)); end = next)
        offset += end->root_offset;
    if (!plan->memory[end->id].root)
        plan->memory[end->id] = (struct Memory){end, 0};
    struct Memory memory = plan->memory[end->id];
    for (; tensor != end; tensor = hands_on(plan, tensor)) {
        plan->memory[tensor->id] = (struct Memory){memory.root, memory.offset + offset};
        offset -= tensor->root_offset;
    }
}

static void find_memory(Plan *plan)
{
    plan->memory = NEW_ARRAY(struct Memory, (size_t)plan->tensors.count);
    for (int i = 0; i < plan->tensors.count; i++)
        find_memory_of(plan, plan->tensors.items[i]);
}

/* True when nothing between the network's input and `tensor` computes anything. */
static bool is_input(const Plan *plan, const Tensor *tensor)
{
    while (tensor->producer && node_is_skipped(plan, tensor->producer))
        tensor = tensor->producer->inputs.items[0];
    return !tensor->producer;
}

/* The logits leave the step, so they need memory of their own: a network that
 * only reshapes its input would otherwise hand out the input. */
static Tensor *own_output(Plan *plan, Tensor *output, const char *name)
{
    if (!is_input(plan, output))
        return output;
    Tensor *own = plan_tensor(plan, TENSOR_ACTIVATION, name, output->shape);
    Node *copy = NEW(Node);
    *copy = (Node){.stage = STAGE_COPY, .path = name, .dx = own, .from = output};
    push(&plan->steps, new_step(copy));
    return own;
}

static void add_outputs(Plan *plan)
{
    const Graph *graph = plan->graph;
    plan->logits = own_output(plan, graph->output, "logits");
    for (int i = 0; i < graph->outputs.count; i++)
        push(&plan->outputs,
             own_output(plan, graph->outputs.items[i].tensor, graph->outputs.items[i].name));
}

void make_steps(Plan *plan)
{
    const Graph *graph = plan->graph;
    const bool *live = find_live(plan);
    for (int i = 0; i < graph->tensors.count; i++)
        push(&plan->tensors, graph->tensors.items[i]);
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (!runs(plan, live, node))
            continue;
        if (plan->training && node->stage == STAGE_FORWARD && node->statistics)
            push(&plan->steps, new_step(statistics_node(node)));
        push(&plan->steps, new_step(node));
    }
    add_outputs(plan);
    find_memory(plan);
}

/* --------------------------------------------------------------- phases */

typedef struct Scheduler {
    const Plan *plan;
    int *written;       /* by id of a tensor that is no view: the phase that last wrote it, or -1 */
    int *shared;        /* likewise: the last in which a whole-batch node touched it */
    int *owned_written; /* … and wrote it */
    int phase;
    bool owned; /* the phase has a whole-batch node */
    bool moves; /* … that moves weights, as it makes their gradient */
    Int sums;   /* elements of the gradients that each grain has made in it */
} Scheduler;

enum {
    WORTH_A_PHASE = 1 << 18
}; /* elements: their message takes longer than the threads' meeting */

/* Grains come before whole-batch nodes in a phase, and the threads do not meet
 * between two of those; who moves weights comes after whoever reads them. */
static bool must_meet(const Scheduler *scheduler, const Node *node, const AccessList *accesses)
{
    bool moves = node->whole_batch && node->stage == STAGE_BACKWARD_PARAMETERS;
    if (scheduler->owned && (!node->whole_batch || moves != scheduler->moves))
        return true;
    if (scheduler->plan->for_ranks && scheduler->sums >= WORTH_A_PHASE)
        return true;
    for (int i = 0; i < accesses->count; i++) {
        const Access *access = &accesses->items[i];
        int memory = memory_of(scheduler->plan, access->tensor).root->id;
        const int *met = node->whole_batch ? scheduler->owned_written : scheduler->written;
        if (access->all_grains && met[memory] == scheduler->phase)
            return true;
        if (access->write && scheduler->shared[memory] == scheduler->phase)
            return true;
    }
    return false;
}

static void note_phase(Scheduler *scheduler, const Node *node, const AccessList *accesses)
{
    for (int i = 0; i < accesses->count; i++) {
        int memory = memory_of(scheduler->plan, accesses->items[i].tensor).root->id;
        if (accesses->items[i].write)
            scheduler->written[memory] = scheduler->phase;
        if (node->whole_batch)
            scheduler->shared[memory] = scheduler->phase;
        if (node->whole_batch && accesses->items[i].write)
            scheduler->owned_written[memory] = scheduler->phase;
    }
    scheduler->owned |= node->whole_batch;
    scheduler->moves = node->whole_batch && node->stage == STAGE_BACKWARD_PARAMETERS;
}

static Int count_sums(const Step *step)
{
    Int sums = 0;
    for (int i = 0; i < step->parts.count; i++) {
        const Node *node = step->parts.items[i].node;
        if (node->stage == STAGE_BACKWARD_PARAMETERS && !node->whole_batch)
            sums += trained_elements(node);
    }
    return sums;
}

static int *no_phases(const Plan *plan)
{
    int *phases = NEW_ARRAY(int, (size_t)plan->tensors.count);
    for (int i = 0; i < plan->tensors.count; i++)
        phases[i] = -1;
    return phases;
}

void make_phases(Plan *plan)
{
    Scheduler scheduler = {
        .plan = plan,
        .written = no_phases(plan),
        .shared = no_phases(plan),
        .owned_written = no_phases(plan),
    };
    AccessList accesses = {0};
    for (int i = 0; i < plan->steps.count; i++) {
        Step *step = plan->steps.items[i];
        const Node *node = step_node(step);
        accesses.count = 0;
        step_accesses(step, plan->training, &accesses);
        if (!plan_skips(plan, step) && must_meet(&scheduler, node, &accesses)) {
            scheduler.phase++;
            scheduler.owned = false;
            scheduler.sums = 0;
        }
        if (!plan_skips(plan, step))
            note_phase(&scheduler, node, &accesses);
        scheduler.sums += count_sums(step);
        step->phase = scheduler.phase;
    }
    plan->phases = scheduler.phase + 1;
}
