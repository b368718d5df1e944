/* Who touches which memory, and at which position: what fusions ask before they move a node. */
#include "plan/fuse/fuse.h"

#include <string.h>

Region region_of(const Plan *plan, const Tensor *tensor)
{
    struct Memory memory = memory_of(plan, tensor);
    return (Region){memory.root, memory.offset, memory.offset + shape_elements(tensor->shape)};
}

bool same_region(Region a, Region b)
{
    return a.root == b.root && a.from == b.from && a.to == b.to;
}

bool regions_overlap(Region a, Region b)
{
    return a.root == b.root && a.from < b.to && b.from < a.to;
}

/* The first use at or after `position`. */
static int find_use(const UseList *uses, int position)
{
    int from = 0, to = uses->count;
    while (from < to) {
        int middle = from + (to - from) / 2;
        if (uses->items[middle].position < position)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

void note_use(Fusion *fusion, const Tensor *tensor, int position, bool write)
{
    Region region = region_of(fusion->plan, tensor);
    Use use = {region, position, write};
    UseList *uses = &fusion->uses[region.root->id];
    push(uses, use);
    int at = find_use(uses, position + 1);
    if (at == uses->count)
        return;
    memmove(&uses->items[at + 1], &uses->items[at], (size_t)(uses->count - 1 - at) * sizeof use);
    uses->items[at] = use;
}

void note_uses(Fusion *fusion)
{
    const Plan *plan = fusion->plan;
    AccessList accesses = {0};
    for (int position = 0; position < plan->steps.count; position++) {
        const Step *step = plan->steps.items[position];
        accesses.count = 0;
        fusion->moved[position] = position;
        if (plan_skips(plan, step))
            continue;
        step_accesses(step, plan->training, &accesses);
        for (int i = 0; i < accesses.count; i++)
            note_use(fusion, accesses.items[i].tensor, position, accesses.items[i].write);
    }
    note_use(fusion, plan->logits, plan->steps.count, false);
    for (int i = 0; i < plan->outputs.count; i++)
        note_use(fusion, plan->outputs.items[i], plan->steps.count, false);
}

static int moved_position(const Fusion *fusion, const Use *use)
{
    return use->position < fusion->plan->steps.count ? fusion->moved[use->position] : use->position;
}

/* Where `region` was last written before `position`; -1: nowhere.  A use that stood
 * no later than one that was found is done no later. */
int last_write(const Fusion *fusion, Region region, int position)
{
    int last = -1, end = fusion->reached >= position ? fusion->reached + 1 : position;
    const UseList *uses = &fusion->uses[region.root->id];
    for (int i = find_use(uses, end) - 1; i >= 0 && uses->items[i].position > last; i--) {
        int at = moved_position(fusion, &uses->items[i]);
        if (uses->items[i].write && regions_overlap(uses->items[i].region, region) && at < position
            && at > last)
            last = at;
    }
    return last;
}

bool is_used(const Fusion *fusion, Region region, int from, int to, bool writes_only)
{
    const UseList *uses = &fusion->uses[region.root->id];
    int end = fusion->reached >= to ? fusion->reached + 1 : to;
    for (int i = find_use(uses, from); i < uses->count && uses->items[i].position < end; i++) {
        int at = moved_position(fusion, &uses->items[i]);
        if (at >= from && at < to && regions_overlap(uses->items[i].region, region)
            && (uses->items[i].write || !writes_only))
            return true;
    }
    return false;
}
