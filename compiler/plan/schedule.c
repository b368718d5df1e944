/* Which nodes run, in which order, in which phase.
 *
 * Requires a graph, with gradients when the plan is for training.  Makes
 * plan->schedule and plan->phase_of.
 *
 * The order is the graph's own: forward nodes as they were expanded, then
 * backward nodes as differentiation appended them, which its in-place gradients
 * rest on.  A phase ends only where a node reads what every grain wrote (batch
 * norm's statistics): all threads must have met first.  So a network without
 * such nodes has one phase per step.
 */
#include "netc.h"

static void add_access(AccessList *accesses, Tensor *tensor, bool write, bool all_grains)
{
    if (tensor)
        push(accesses, ((Access){ tensor, write, all_grains }));
}

static void backward_reads(const Node *node, unsigned reads, AccessList *accesses)
{
    add_access(accesses, node->dy, false, node->whole_batch);
    for (int i = 0; (reads & READS_X) && i < node->inputs.count; i++)
        add_access(accesses, node->inputs.items[i], false, node->whole_batch);
    if (reads & READS_Y)
        add_access(accesses, node->out, false, false);
    if (reads & READS_AUX)
        add_access(accesses, node->aux, false, false);
    if (reads & READS_STATISTICS)
        add_access(accesses, node->statistics, false, true);
}

/* What is read and written by the work that others have done on its stores. */
static void finish_accesses(const Node *node, bool training, AccessList *accesses)
{
    for (int i = 0; i < node->finishes.count; i++) {
        const Finish *finish = &node->finishes.items[i];
        const Node *done = finish->node;
        bool reads_x = done->stage == STAGE_FORWARD || (done->op->input_gradient_reads & READS_X);
        for (int k = 0; reads_x && k < done->inputs.count; k++)
            if (k != finish->which)
                add_access(accesses, done->inputs.items[k], false, false);
        if (done->stage != STAGE_FORWARD && (done->op->input_gradient_reads & READS_Y))
            add_access(accesses, done->out, false, false);
        if (done->stage == STAGE_FORWARD && training)
            add_access(accesses, done->aux, true, false);
    }
}

void node_accesses(const Node *node, bool training, AccessList *accesses)
{
    finish_accesses(node, training, accesses);
    switch (node->stage) {
    case STAGE_FORWARD:
        for (int i = 0; i < node->inputs.count; i++)
            add_access(accesses, node->inputs.items[i], false, false);
        if (training)
            add_access(accesses, node->statistics, false, true);
        add_access(accesses, node->out, true, false);
        add_access(accesses, training ? node->aux : NULL, true, false);
        break;
    case STAGE_STATISTICS:
        add_access(accesses, node->inputs.items[0], false, false);
        add_access(accesses, node->statistics, true, false);
        break;
    case STAGE_BACKWARD_INPUT:
        backward_reads(node, node->op->input_gradient_reads, accesses);
        if (node->accumulate)
            add_access(accesses, node->dx, false, false);
        add_access(accesses, node->dx, true, false);
        break;
    case STAGE_BACKWARD_PARAMETERS:
        backward_reads(node, node->op->parameter_gradient_reads, accesses);
        /* Sums over the batch that backward_input will read lie beside the forward ones. */
        add_access(accesses, node->statistics, true, false);
        break;
    case STAGE_ACCUMULATE:
        add_access(accesses, node->dx, false, false);
        /* fall through */
    case STAGE_COPY:
        add_access(accesses, node->from, false, false);
        add_access(accesses, node->dx, true, false);
        break;
    }
}

/* ------------------------------------------------------- what is needed */

typedef struct Scheduler {
    Plan *plan;
    bool *live;                 /* by tensor id: something that runs reads it */
    int *written;               /* by id of a tensor that is no view: the phase that last wrote it, or -1 */
    int phase;
} Scheduler;

bool plan_skips(const Plan *plan, const Node *node)
{
    if (node->stage != STAGE_FORWARD)
        return false;
    return (node->op->traits & OP_VIEW) || (!plan->training && (node->op->traits & OP_TRAINING_ONLY));
}

/* Marks what the result depends on, from the end: a layer whose output nobody
 * reads is not run. */
static bool *find_live(const Plan *plan)
{
    const Graph *graph = plan->graph;
    bool *live = NEW_ARRAY(bool, (size_t)graph->tensors.count);
    live[graph->output->id] = true;
    for (int i = graph->nodes.count - 1; i >= 0; i--) {
        const Node *node = graph->nodes.items[i];
        if (node->stage != STAGE_FORWARD || !(node->out && live[node->out->id]))
            continue;
        for (int k = 0; k < node->inputs.count; k++)
            live[node->inputs.items[k]->id] = true;
    }
    return live;
}

static bool runs(const Scheduler *scheduler, const Node *node)
{
    if (node->stage != STAGE_FORWARD)
        return scheduler->plan->training;
    if (node->op->traits & OP_LOSS)
        return true;            /* in inference too: a test's loss is the network's own */
    return scheduler->live[node->out->id];
}

/* --------------------------------------------------------------- phases */

/* The tensor whose memory it is: a slice of a gradient is written with the whole. */
static const Tensor *memory_of(const Tensor *tensor)
{
    while (tensor->base != tensor)
        tensor = tensor->base;
    return tensor;
}

static bool waits_for_all_grains(const Scheduler *scheduler, const AccessList *accesses)
{
    for (int i = 0; i < accesses->count; i++) {
        const Access *access = &accesses->items[i];
        if (access->all_grains && scheduler->written[memory_of(access->tensor)->id] == scheduler->phase)
            return true;
    }
    return false;
}

static void schedule_node(Scheduler *scheduler, Node *node)
{
    Plan *plan = scheduler->plan;
    AccessList accesses = { 0 };
    node_accesses(node, plan->training, &accesses);
    if (waits_for_all_grains(scheduler, &accesses))
        scheduler->phase++;
    for (int i = 0; i < accesses.count; i++)
        if (accesses.items[i].write)
            scheduler->written[memory_of(accesses.items[i].tensor)->id] = scheduler->phase;
    push(&plan->schedule, node);
    push(&plan->phase_of, scheduler->phase);
}

static Node *statistics_node(const Node *forward)
{
    Node *node = NEW(Node);
    *node = *forward;
    node->stage = STAGE_STATISTICS;
    node->forward = (Node *)forward;
    return node;
}

/* True when nothing between the network's input and `tensor` computes anything. */
static bool is_input(const Plan *plan, const Tensor *tensor)
{
    while (tensor->producer && plan_skips(plan, tensor->producer))
        tensor = tensor->producer->inputs.items[0];
    return !tensor->producer;
}

/* The logits leave the step, so they need memory of their own: a network that
 * only reshapes its input would otherwise hand out the input. */
static void schedule_logits(Scheduler *scheduler, Graph *graph)
{
    Plan *plan = scheduler->plan;
    plan->logits = graph->output;
    if (!is_input(plan, graph->output))
        return;
    plan->logits = new_tensor(graph, TENSOR_ACTIVATION, "logits", graph->output->shape);
    Node *copy = NEW(Node);
    *copy = (Node){ .stage = STAGE_COPY, .path = "logits", .dx = plan->logits, .from = graph->output };
    push(&plan->schedule, copy);
    push(&plan->phase_of, scheduler->phase);
}

void make_schedule(Plan *plan)
{
    Graph *graph = (Graph *)plan->graph;
    Scheduler scheduler = { .plan = plan, .live = find_live(plan) };
    scheduler.written = NEW_ARRAY(int, (size_t)graph->tensors.count);
    for (int i = 0; i < graph->tensors.count; i++)
        scheduler.written[i] = -1;

    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (!runs(&scheduler, node))
            continue;
        if (plan->training && node->stage == STAGE_FORWARD && node->statistics)
            schedule_node(&scheduler, statistics_node(node));
        schedule_node(&scheduler, node);
    }
    schedule_logits(&scheduler, graph);
    plan->phases = scheduler.phase + 1;
}
