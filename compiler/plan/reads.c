/* What each phase reads of all grains and not only of its own: the sums of batch norms, and the
 * operands of weight gradients that are summed over the whole batch.  The ranks of a run gather it
 * before, once after it was written.
 *
 * A whole-batch layer's outputs and input gradients are one sum for each image: a rank computes
 * those of its own grains, and reads no others.
 */
#include "plan/plan.h"

typedef struct Freshness {
    const Plan *plan;
    int *written;  /* by id of a tensor whose memory others share: when it was last, … */
    int *gathered; /* … and by id of any: likewise */
    int now;
} Freshness;

static int root_of(const Freshness *fresh, const Access *access)
{
    return fresh->plan->placements[access->tensor->id].root->id;
}

static bool sums_over_grains(const Node *node)
{
    return !node->whole_batch || node->stage == STAGE_BACKWARD_PARAMETERS;
}

static void gather(Freshness *fresh, const Access *access, TensorList *reads)
{
    int id = access->tensor->id, root = root_of(fresh, access);
    if (access->write || !access->all_grains || fresh->gathered[id] > fresh->written[root])
        return;
    fresh->gathered[id] = fresh->now;
    push(reads, access->tensor);
}

static void note_writes(Freshness *fresh, const AccessList *accesses)
{
    for (int i = 0; i < accesses->count; i++)
        if (accesses->items[i].write)
            fresh->written[root_of(fresh, &accesses->items[i])] = fresh->now;
}

/* Of the phase's steps that compute grains, or of those for the whole batch, from `first` on:
 * none of them writes what another one reads of all grains. */
static void visit(Freshness *fresh, int first, bool whole_batch, TensorList *reads)
{
    const Plan *plan = fresh->plan;
    int phase = plan->steps.items[first]->phase;
    for (int writes = 0; writes < 2; writes++, fresh->now++)
        for (int i = first; is_in_phase(plan, i, phase); i++) {
            const Step *step = plan->steps.items[i];
            const Node *node = step_node(step);
            AccessList accesses = {0};
            if (node->whole_batch != whole_batch || plan_skips(plan, step))
                continue;
            step_accesses(step, plan->training, &accesses);
            if (writes)
                note_writes(fresh, &accesses);
            for (int k = 0; !writes && sums_over_grains(node) && k < accesses.count; k++)
                gather(fresh, &accesses.items[k], reads);
        }
}

PhaseReads *find_reads(const Plan *plan)
{
    PhaseReads *reads = NEW_ARRAY(PhaseReads, (size_t)plan->phases);
    size_t tensors = (size_t)plan->tensors.count;
    Freshness fresh = {.plan = plan,
                       .written = NEW_ARRAY(int, tensors),
                       .gathered = NEW_ARRAY(int, tensors),
                       .now = 1};
    for (int phase = 0, first = 0; phase < plan->phases; phase++) {
        if (!is_in_phase(plan, first, phase))
            continue;
        visit(&fresh, first, false, &reads[phase].early);
        visit(&fresh, first, true, &reads[phase].late);
        while (is_in_phase(plan, first, phase))
            first++;
    }
    return reads;
}
