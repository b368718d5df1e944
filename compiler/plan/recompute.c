/* Recomputing: what is cheap to make again is not kept for the way back.
 *
 * Requires fused steps with their phases; leaves both whole.  A batch norm
 * ends a phase, so what it gives, with the activation after it, would be written
 * to memory on the way forward and lie there until the convolution that reads it
 * wants it once more for its weight gradient.  The norm's own input is kept
 * anyhow, for its own gradient.  So where later phases read the result on the way
 * back, each makes it a second time, in the thread's scratch, and the first of
 * them dies young: half the memory, and half of what goes through the caches, for
 * a few operations on a value.  Pleiss et al. 2017, "Memory-Efficient
 * Implementation of DenseNets", https://arxiv.org/abs/1707.06990.
 *
 * The second time is a step and a tensor of its own, by which its readers know it.
 */
#include "plan/plan.h"

typedef LIST(int) Positions;
typedef LIST(Step *) StepList;

typedef struct Recompute {
    Plan *plan;
    Positions *readers; /* by tensor id: positions of steps, ascending */
    bool *aliased;      /* by tensor id: its memory is another tensor's too */
    StepList *before;   /* by position: what is made again just before it */
} Recompute;

/* ------------------------------------------------------- who reads what */

static void note_aliases(Recompute *recompute, const Node *node)
{
    bool concat = node->stage == STAGE_FORWARD && (node_traits(node) & OP_CONCATENATES);
    if (!concat && !node_is_skipped(recompute->plan, node))
        return;
    for (int i = 0; i < node->inputs.count; i++)
        recompute->aliased[node->inputs.items[i]->id] = true;
}

static void note_readers(Recompute *recompute)
{
    const Plan *plan = recompute->plan;
    AccessList accesses = {0};
    for (int position = 0; position < plan->steps.count; position++) {
        const Step *step = plan->steps.items[position];
        accesses.count = 0;
        step_accesses(step, plan->training, &accesses);
        for (int i = 0; i < accesses.count; i++)
            if (!accesses.items[i].write)
                push(&recompute->readers[accesses.items[i].tensor->id], position);
        if (step_node(step)->op)
            note_aliases(recompute, step_node(step));
    }
    recompute->aliased[plan->logits->id] = true;
    for (int i = 0; i < plan->outputs.count; i++)
        recompute->aliased[plan->outputs.items[i]->id] = true;
}

/* --------------------------------------------------------- what is made */

/* Cheap, and so is all that is done to its values before they are stored. */
static bool is_cheap(const Step *step)
{
    const Node *node = step_node(step);
    const Epilogue epilogue = step_epilogue(step);
    if (node->stage != STAGE_FORWARD || !(node->op->traits & OP_CHEAP) || node->aux
        || node->whole_batch)
        return false;
    for (int i = 0; i < epilogue.count; i++)
        if (epilogue.parts[i].node->inputs.count != 1 || epilogue.parts[i].node->aux)
            return false;
    return true;
}

/* Whether the step at `position` lies on the way back, in a later phase than `phase`. */
static bool is_later(const Plan *plan, int position, int phase)
{
    const Step *step = plan->steps.items[position];
    Stage stage = step_node(step)->stage;
    return step->phase > phase && stage != STAGE_FORWARD && stage != STAGE_STATISTICS;
}

/* Whether all that reads the result of the step at `position` later can read one made again:
 * none of it for the whole batch at once, and as long as what it is made of is kept. */
static bool can_be_remade(const Recompute *recompute, int position)
{
    const Plan *plan = recompute->plan;
    const Step *step = plan->steps.items[position];
    const Tensor *out = step_result(step);
    const Positions *readers = &recompute->readers[out->id],
                    *sources = &recompute->readers[step_node(step)->inputs.items[0]->id];
    if (recompute->aliased[out->id] || out->base != out)
        return false;
    for (int i = 0; i < readers->count; i++) {
        int at = readers->items[i];
        if (is_later(plan, at, step->phase)
            && (step_node(plan->steps.items[at])->whole_batch
                || at > sources->items[sources->count - 1]))
            return false;
    }
    return true;
}

static void stand_for(Step *step, const Tensor *from, Tensor *to)
{
    push(&step->renamed, ((Renamed){from, to}));
}

/* The step again, in the phase of its reader, with a result of its own. */
static Step *make_again(const Recompute *recompute, const Step *step, int phase)
{
    Step *again = NEW(Step);
    const Tensor *out = step_result(step);
    Tensor *made =
        plan_tensor(recompute->plan, TENSOR_ACTIVATION, format("%s again", out->name), out->shape);
    *again = *step; /* the parts are shared: nothing changes them any more */
    again->recompute = true;
    again->phase = phase;
    stand_for(again, out, made);
    return again;
}

/* Makes the step at `position` again in each later phase that reads its result on the way back. */
static void remake(Recompute *recompute, int position)
{
    Plan *plan = recompute->plan;
    const Step *step = plan->steps.items[position];
    Step *again = NULL;
    Tensor *out = step_result(step);
    const Positions *readers = &recompute->readers[out->id];
    int phase = step->phase;
    for (int i = 0; i < readers->count; i++) {
        int at = readers->items[i];
        Step *reader = plan->steps.items[at];
        if (!is_later(plan, at, step->phase) || step_tensor(reader, out) != out)
            continue;
        if (reader->phase != phase) {
            phase = reader->phase;
            again = make_again(recompute, step, phase);
            push(&recompute->before[at], again);
        }
        stand_for(reader, out, step_result(again));
    }
}

/* The steps with what is made again among them, before the first that reads it. */
static void insert_steps(Recompute *recompute)
{
    Plan *plan = recompute->plan;
    StepList steps = {0};
    for (int position = 0; position < plan->steps.count; position++) {
        for (int i = 0; i < recompute->before[position].count; i++)
            push(&steps, recompute->before[position].items[i]);
        push(&steps, plan->steps.items[position]);
    }
    plan->steps.items = steps.items;
    plan->steps.count = steps.count;
    plan->steps.capacity = steps.capacity;
}

void recompute_activations(Plan *plan)
{
    if (!(plan->fuse & FUSE_RECOMPUTE) || !plan->training)
        return;
    size_t tensors = (size_t)plan->tensors.count, steps = (size_t)plan->steps.count;
    Recompute recompute = {plan, NEW_ARRAY(Positions, tensors), NEW_ARRAY(bool, tensors),
                           NEW_ARRAY(StepList, steps)};
    note_readers(&recompute);
    for (int position = 0; position < plan->steps.count; position++)
        if (is_cheap(plan->steps.items[position]) && can_be_remade(&recompute, position))
            remake(&recompute, position);
    insert_steps(&recompute);
}
