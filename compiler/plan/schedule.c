/* Which nodes run, in which order, in which phase.
 *
 * Requires a graph, with gradients when the plan is for training.  Makes
 * plan->schedule and, once that is final, plan->phase_of.
 *
 * The order is the graph's own: forward nodes as they were expanded, then
 * backward nodes as differentiation appended them, which its in-place gradients
 * rest on.  A phase ends only where the threads must have met: where a node
 * reads what every grain wrote (batch norm's statistics), and before and after
 * layers that are computed for the whole batch at once, which stand at the end
 * of a phase.  So a network without such nodes has one phase per step.
 */
#include "netc.h"

static void add_access(AccessList *accesses, Tensor *tensor, bool write, bool all_grains)
{
    if (tensor)
        push(accesses, ((Access){tensor, write, all_grains}));
}

static void backward_reads(const Node *node, unsigned reads, AccessList *accesses)
{
    add_access(accesses, node->pool ? node->pool->dy : node->dy, false, node->whole_batch);
    for (int i = 0; (reads & READS_X) && i < node->inputs.count; i++)
        add_access(accesses, node->inputs.items[i], false, node->whole_batch);
    if (reads & READS_Y)
        add_access(accesses, node->out, false, node->whole_batch);
    if (reads & READS_AUX)
        add_access(accesses, node->aux, false, node->whole_batch);
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
                add_access(accesses, done->inputs.items[k], false, node->whole_batch);
        if (done->stage != STAGE_FORWARD && (done->op->input_gradient_reads & READS_Y))
            add_access(accesses, done->out, false, node->whole_batch);
        if (done->stage == STAGE_FORWARD && training)
            add_access(accesses, done->aux, true, false);
    }
}

/* … and by a node whose work the kernel does besides, on `stored`, which is what the kernel
 * stores. */
static void further_accesses(const Node *further, const Tensor *stored, bool training,
                             AccessList *accesses)
{
    AccessList own = {0};
    node_accesses(further, training, &own);
    for (int i = 0; i < own.count; i++)
        if (own.items[i].tensor != stored)
            push(accesses, own.items[i]);
}

void node_accesses(const Node *node, bool training, AccessList *accesses)
{
    add_access(accesses, node->work, true, false);
    finish_accesses(node, training, accesses);
    if (node->sums)
        further_accesses(node->sums, node->sums->dy, training, accesses);
    if (node->loss)
        further_accesses(node->loss, node->loss->inputs.items[0], training, accesses);
    switch (node->stage) {
    case STAGE_FORWARD:
        for (int i = 0; i < node->inputs.count; i++)
            add_access(accesses, node->inputs.items[i], false, node->whole_batch);
        if (training)
            add_access(accesses, node->statistics, false, true);
        add_access(accesses, node->out, true, node->whole_batch);
        add_access(accesses, training && !node->gradient ? node->aux : NULL, true,
                   node->whole_batch);
        add_access(accesses, node->gradient ? node->gradient->dx : NULL, true, node->whole_batch);
        break;
    case STAGE_STATISTICS:
        add_access(accesses, node->inputs.items[0], false, false);
        for (int i = 0; i < node->measured.count; i++)
            add_access(accesses, node->measured.items[i].statistics, false, false);
        add_access(accesses, node->statistics, true, false);
        break;
    case STAGE_BACKWARD_INPUT:
        backward_reads(node, node->op->input_gradient_reads, accesses);
        if (node->accumulate)
            add_access(accesses, node->dx, false, node->whole_batch);
        add_access(accesses, node->dx, true, node->whole_batch);
        break;
    case STAGE_BACKWARD_PARAMETERS:
        backward_reads(node, node->op->parameter_gradient_reads, accesses);
        add_access(accesses, node->pool ? node->pool->aux : NULL, false, false);
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

bool plan_skips(const Plan *plan, const Node *node)
{
    if (node->stage != STAGE_FORWARD)
        return false;
    return ((node->op->traits & OP_VIEW) && node->out->base != node->out)
           || (!plan->training && (node->op->traits & OP_TRAINING_ONLY));
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

static bool runs(const Plan *plan, const bool *live, const Node *node)
{
    if (node->stage != STAGE_FORWARD)
        return plan->training;
    if (node->op->traits & OP_LOSS)
        return true; /* in inference too: a test's loss is the network's own */
    return live[node->out->id];
}

/* ---------------------------------------------------------------- order */

typedef struct Part {
    const Tensor *tensor;
    Int first;
} Part; /* its channels begin at `first` */
typedef LIST(Part) PartList;

/* Its inputs, the last first: who takes from the end of the list takes them in order. */
static void add_parts(PartList *parts, const Node *concat, Int first)
{
    for (int i = 0; i < concat->inputs.count; i++)
        first += concat->inputs.items[i]->shape.dim[0];
    for (int i = concat->inputs.count - 1; i >= 0; i--) {
        first -= concat->inputs.items[i]->shape.dim[0];
        push(parts, ((Part){concat->inputs.items[i], first}));
    }
}

/* Lists which channels of the node's input have been measured: all at once, or as
 * parts of a concat, which may be of concats, thousands deep.  `measured`: by tensor
 * id, the node that has; NULL: none. */
static void find_measured(Node *const *measured, Node *node)
{
    PartList parts = {0};
    push(&parts, ((Part){node->inputs.items[0], 0}));
    while (parts.count) {
        Part part = parts.items[--parts.count];
        const Node *earlier = measured[part.tensor->id], *producer = part.tensor->producer;
        if (earlier)
            push(&node->measured,
                 ((Measured){earlier->statistics, part.first, part.tensor->shape.dim[0]}));
        else if (producer && (producer->op->traits & OP_CONCATENATES))
            add_parts(&parts, producer, part.first);
    }
}

static Node *statistics_node(const Plan *plan, Node **measured, const Node *forward)
{
    Node *node = NEW(Node);
    *node = *forward;
    node->stage = STAGE_STATISTICS;
    node->forward = (Node *)forward;
    if (plan->fuse & FUSE_STATISTICS)
        find_measured(measured, node);
    if (!measured[node->inputs.items[0]->id])
        measured[node->inputs.items[0]->id] = node;
    return node;
}

/* Where else its memory is said to be; NULL: it is its own. */
static Tensor *hands_on(const Plan *plan, const Tensor *tensor)
{
    if (tensor->root != tensor)
        return tensor->root;
    bool handed =
        tensor->role == TENSOR_ACTIVATION && tensor->producer && plan_skips(plan, tensor->producer);
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
    plan->memory = NEW_ARRAY(struct Memory, (size_t)plan->graph->tensors.count);
    for (int i = 0; i < plan->graph->tensors.count; i++)
        find_memory_of(plan, plan->graph->tensors.items[i]);
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
static void schedule_logits(Plan *plan, Graph *graph)
{
    plan->logits = graph->output;
    if (!is_input(plan, graph->output))
        return;
    plan->logits = new_tensor(graph, TENSOR_ACTIVATION, "logits", graph->output->shape);
    Node *copy = NEW(Node);
    *copy =
        (Node){.stage = STAGE_COPY, .path = "logits", .dx = plan->logits, .from = graph->output};
    push(&plan->schedule, copy);
}

void make_schedule(Plan *plan)
{
    Graph *graph = (Graph *)plan->graph;
    const bool *live = find_live(plan);
    Node **measured = NEW_ARRAY(Node *, (size_t)graph->tensors.count);
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (!runs(plan, live, node))
            continue;
        if (plan->training && node->stage == STAGE_FORWARD && node->statistics) {
            Node *statistics = statistics_node(plan, measured, node);
            push(&plan->schedule, statistics);
        }
        push(&plan->schedule, node);
    }
    schedule_logits(plan, graph);
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
} Scheduler;

/* Grains come before whole-batch nodes in a phase, and the threads do not meet
 * between two of those; who moves weights comes after whoever reads them. */
static bool must_meet(const Scheduler *scheduler, const Node *node, const AccessList *accesses)
{
    bool moves = node->whole_batch && node->stage == STAGE_BACKWARD_PARAMETERS;
    if (scheduler->owned && (!node->whole_batch || moves != scheduler->moves))
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

static int *no_phases(const Plan *plan)
{
    int *phases = NEW_ARRAY(int, (size_t)plan->graph->tensors.count);
    for (int i = 0; i < plan->graph->tensors.count; i++)
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
    for (int i = 0; i < plan->schedule.count; i++) {
        const Node *node = plan->schedule.items[i];
        accesses.count = 0;
        node_accesses(node, plan->training, &accesses);
        if (!plan_skips(plan, node) && must_meet(&scheduler, node, &accesses)) {
            scheduler.phase++;
            scheduler.owned = false;
        }
        if (!plan_skips(plan, node))
            note_phase(&scheduler, node, &accesses);
        push(&plan->phase_of, scheduler.phase);
    }
    plan->phases = scheduler.phase + 1;
}
