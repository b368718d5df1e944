/* Recomputing: what is cheap to make again is not kept for the way back.
 *
 * Requires a fused schedule with its phases; leaves both whole.  A batch norm
 * ends a phase, so what it gives, with the activation after it, would be written
 * to memory on the way forward and lie there until the convolution that reads it
 * wants it once more for its weight gradient.  The norm's own input is kept
 * anyhow, for its own gradient.  So where later phases read the result on the way
 * back, each makes it a second time, in the thread's scratch, and the first of
 * them dies young: half the memory, and half of what goes through the caches, for
 * a few operations on a value.  Pleiss et al. 2017, "Memory-Efficient
 * Implementation of DenseNets", https://arxiv.org/abs/1707.06990.
 *
 * The second time is a node and a tensor of its own; who reads that is a copy.
 */
#include "netc.h"

typedef LIST(int) Positions;
typedef LIST(Node *) NodeList;

typedef struct Recompute {
    Plan *plan;
    Positions *readers; /* by tensor id: positions in the schedule, ascending */
    bool *aliased;      /* by tensor id: its memory is another tensor's too */
    NodeList *before;   /* by position: what is made again just before it */
} Recompute;

/* ------------------------------------------------------- who reads what */

static void note_aliases(Recompute *recompute, const Node *node)
{
    bool concat = node->stage == STAGE_FORWARD && (node->op->traits & OP_CONCATENATES);
    if (!concat && !plan_skips(recompute->plan, node))
        return;
    for (int i = 0; i < node->inputs.count; i++)
        recompute->aliased[node->inputs.items[i]->id] = true;
}

static void note_readers(Recompute *recompute)
{
    const Plan *plan = recompute->plan;
    AccessList accesses = {0};
    for (int position = 0; position < plan->schedule.count; position++) {
        const Node *node = plan->schedule.items[position];
        accesses.count = 0;
        node_accesses(node, plan->training, &accesses);
        for (int i = 0; i < accesses.count; i++)
            if (!accesses.items[i].write)
                push(&recompute->readers[accesses.items[i].tensor->id], position);
        if (node->op)
            note_aliases(recompute, node);
    }
    recompute->aliased[plan->logits->id] = true;
}

/* --------------------------------------------------------- what is made */

/* Cheap, and so is all that is done to its values before they are stored. */
static bool is_cheap(const Node *node)
{
    if (node->stage != STAGE_FORWARD || !node->op || !(node->op->traits & OP_CHEAP) || node->aux
        || node->whole_batch)
        return false;
    for (int i = 0; i < node->finishes.count; i++)
        if (node->finishes.items[i].node->inputs.count != 1 || node->finishes.items[i].node->aux)
            return false;
    return true;
}

/* Whether the node at `position` lies on the way back, in a later phase than `phase`. */
static bool is_later(const Plan *plan, int position, int phase)
{
    Stage stage = plan->schedule.items[position]->stage;
    return plan->phase_of.items[position] > phase && stage != STAGE_FORWARD
           && stage != STAGE_STATISTICS;
}

/* Whether all that reads the result of `node` later can read one made again: none of it for
 * the whole batch at once, and as long as what it is made of is kept. */
static bool can_be_remade(const Recompute *recompute, const Node *node, int position)
{
    const Plan *plan = recompute->plan;
    const Positions *readers = &recompute->readers[node->out->id],
                    *sources = &recompute->readers[node->inputs.items[0]->id];
    if (recompute->aliased[node->out->id] || node->out->base != node->out)
        return false;
    for (int i = 0; i < readers->count; i++) {
        int at = readers->items[i];
        if (is_later(plan, at, plan->phase_of.items[position])
            && (plan->schedule.items[at]->whole_batch || at > sources->items[sources->count - 1]))
            return false;
    }
    return true;
}

/* `node`, with what is done to its values, again, with a result of its own. */
static Node *make_again(const Recompute *recompute, const Node *node)
{
    Node *again = node_copy(node);
    again->again = true;
    again->out = new_tensor((Graph *)recompute->plan->graph, TENSOR_ACTIVATION,
                            format("%s again", node->out->name), node->out->shape);
    again->out->producer = again;
    for (int i = 0; i < again->finishes.count; i++) {
        Node *done = node_copy(again->finishes.items[i].node);
        done->again = true;
        if (done->out == node->out)
            done->out = again->out;
        again->finishes.items[i].node = done;
    }
    return again;
}

/* ------------------------------------------------------- who reads that */

static Node *reading_other(const Node *node, const Tensor *from, Tensor *to)
{
    Node *copy = node_copy(node);
    copy->inputs.items = NULL;
    copy->inputs.count = copy->inputs.capacity = 0;
    for (int i = 0; i < node->inputs.count; i++)
        push(&copy->inputs, node->inputs.items[i] == from ? to : node->inputs.items[i]);
    if (copy->out == from)
        copy->out = to;
    for (int i = 0; i < copy->finishes.count; i++)
        copy->finishes.items[i].node = reading_other(copy->finishes.items[i].node, from, to);
    if (copy->sums)
        copy->sums = reading_other(copy->sums, from, to);
    return copy;
}

/* Makes the node at `position` again in each later phase that reads its result on the way back. */
static void remake(Recompute *recompute, int position)
{
    Plan *plan = recompute->plan;
    const Node *node = plan->schedule.items[position], *again = NULL;
    const Positions *readers = &recompute->readers[node->out->id];
    int home = plan->phase_of.items[position], phase = home;
    for (int i = 0; i < readers->count; i++) {
        int at = readers->items[i];
        if (!is_later(plan, at, home))
            continue;
        if (plan->phase_of.items[at] != phase) {
            phase = plan->phase_of.items[at];
            again = make_again(recompute, node);
            push(&recompute->before[at], (Node *)again);
        }
        plan->schedule.items[at] = reading_other(plan->schedule.items[at], node->out, again->out);
    }
}

/* The schedule with what is made again in it, in the phase of who reads it. */
static void insert_nodes(Recompute *recompute)
{
    Plan *plan = recompute->plan;
    NodeList schedule = {0};
    Positions phase_of = {0};
    for (int position = 0; position < plan->schedule.count; position++) {
        for (int i = 0; i < recompute->before[position].count; i++)
            push(&schedule, recompute->before[position].items[i]);
        push(&schedule, plan->schedule.items[position]);
        while (phase_of.count < schedule.count)
            push(&phase_of, plan->phase_of.items[position]);
    }
    plan->schedule.items = schedule.items;
    plan->phase_of.items = phase_of.items;
    plan->schedule.count = plan->phase_of.count = schedule.count;
    plan->schedule.capacity = schedule.capacity;
    plan->phase_of.capacity = phase_of.capacity;
}

void recompute_activations(Plan *plan)
{
    if (!(plan->fuse & FUSE_RECOMPUTE) || !plan->training)
        return;
    size_t tensors = (size_t)plan->graph->tensors.count, nodes = (size_t)plan->schedule.count;
    Recompute recompute = {plan, NEW_ARRAY(Positions, tensors), NEW_ARRAY(bool, tensors),
                           NEW_ARRAY(NodeList, nodes)};
    note_readers(&recompute);
    for (int position = 0; position < plan->schedule.count; position++) {
        const Node *node = plan->schedule.items[position];
        if (is_cheap(node) && can_be_remade(&recompute, node, position))
            remake(&recompute, position);
    }
    insert_nodes(&recompute);
}
