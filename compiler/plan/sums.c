/* Which gradients are whole after each phase, so that the ranks of a run can add them up while the
 * next phases run.
 *
 * A message has a price of its own, so neighbours in the arena wait for one another until they are
 * worth one.  Gradients that are one sum over the whole batch are no part: see NetSum.
 */
#include "plan/plan.h"

enum { WORTH_A_MESSAGE = 1 << 16 }; /* elements */

typedef struct Gatherer {
    PhaseSums *sums;
    Stretch pending; /* from == to: nothing is */
} Gatherer;

static void give_out(Gatherer *gatherer, int phase)
{
    if (gatherer->pending.from < gatherer->pending.to)
        push(&gatherer->sums[phase], gatherer->pending);
    gatherer->pending = (Stretch){0, 0};
}

static void take(Gatherer *gatherer, Stretch stretch, int phase)
{
    Stretch *pending = &gatherer->pending;
    bool empty = pending->from == pending->to, before = stretch.to == pending->from,
         after = stretch.from == pending->to;
    if (!empty && !before && !after)
        give_out(gatherer, phase);
    if (pending->from == pending->to)
        *pending = stretch;
    else if (before)
        pending->from = stretch.from;
    else
        pending->to = stretch.to;
    if (pending->to - pending->from >= WORTH_A_MESSAGE)
        give_out(gatherer, phase);
}

static void take_step(Gatherer *gatherer, const Step *step)
{
    for (int i = 0; i < step->parts.count; i++) {
        const Node *node = step->parts.items[i].node;
        if (node->stage != STAGE_BACKWARD_PARAMETERS || node->whole_batch)
            continue;
        for (int k = 0; k < node->parameters.count; k++) {
            const Parameter *p = node->parameters.items[k];
            if (p->kind == PARAMETER_TRAINED)
                take(gatherer, (Stretch){p->offset, p->offset + placed_elements(p)}, step->phase);
        }
    }
}

PhaseSums *find_sums(const Plan *plan)
{
    Gatherer gatherer = {.sums = NEW_ARRAY(PhaseSums, (size_t)plan->phases)};
    for (int i = 0; i < plan->steps.count; i++)
        take_step(&gatherer, plan->steps.items[i]);
    give_out(&gatherer, plan->phases - 1);
    return gatherer.sums;
}
