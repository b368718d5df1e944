/* What a step is made of, and what is derived from it: its result and its accesses, which
 * phases, lifetimes, recomputation and the dump are all computed from. */
#include "plan/plan.h"

Step *new_step(const Node *node)
{
    Step *step = NEW(Step);
    push(&step->parts, ((Part){.node = node, .role = PART_MAIN}));
    return step;
}

Tensor *plan_tensor(Plan *plan, TensorRole role, const char *name, Shape shape)
{
    Tensor *tensor = make_tensor(plan->tensors.count, role, name, shape);
    push(&plan->tensors, tensor);
    return tensor;
}

/* -------------------------------------------------------------- parts */

static int main_position(const Step *step)
{
    return step->parts.items[0].role == PART_MAIN ? 0 : 1;
}

const Part *main_part(const Step *step)
{
    return &step->parts.items[main_position(step)];
}

const Node *part_node(const Step *step, PartRole role)
{
    for (int i = 0; i < step->parts.count; i++)
        if (step->parts.items[i].role == role)
            return step->parts.items[i].node;
    return NULL;
}

static bool is_of_epilogue(const Part *part)
{
    return part->role == PART_POOL || part->role == PART_EPILOGUE;
}

Epilogue step_epilogue(const Step *step)
{
    int first = main_position(step) + 1, end = step->parts.count;
    while (first < end && step->parts.items[first].role == PART_AFFINE)
        first++;
    Epilogue epilogue = {.parts = &step->parts.items[first]};
    while (first + epilogue.count < end && is_of_epilogue(&epilogue.parts[epilogue.count]))
        epilogue.count++;
    return epilogue;
}

/* ------------------------------------------------------------- tensors */

Tensor *step_tensor(const Step *step, Tensor *tensor)
{
    for (int i = 0; i < step->renamed.count; i++)
        if (step->renamed.items[i].from == tensor)
            return step->renamed.items[i].to;
    return tensor;
}

Tensor *node_result(const Node *node)
{
    return node->stage == STAGE_FORWARD ? node->out : node->dx;
}

Tensor *step_result(const Step *step)
{
    Epilogue epilogue = step_epilogue(step);
    const Part *last = epilogue.count ? &epilogue.parts[epilogue.count - 1] : &epilogue.parts[-1];
    return step_tensor(step, node_result(last->node));
}

const char *step_stage(const Step *step)
{
    return step->recompute ? "recompute" : stage_name(step_node(step)->stage);
}

bool node_is_skipped(const Plan *plan, const Node *node)
{
    if (node->stage != STAGE_FORWARD)
        return false;
    return ((node->op->traits & OP_VIEW) && node->out->base != node->out)
           || (!plan->training && (node->op->traits & OP_TRAINING_ONLY));
}

bool plan_skips(const Plan *plan, const Step *step)
{
    return node_is_skipped(plan, step_node(step));
}

/* ------------------------------------------------------------ accesses */

static void add_access(AccessList *accesses, Tensor *tensor, bool write, bool all_grains)
{
    if (tensor)
        push(accesses, ((Access){tensor, write, all_grains}));
}

static void backward_reads(const Node *node, unsigned reads, AccessList *accesses)
{
    add_access(accesses, node->dy, false, node->whole_batch);
    for (int i = 0; (reads & READS_X) && i < node->inputs.count; i++)
        add_access(accesses, node->inputs.items[i], false, node->whole_batch);
    if (reads & READS_Y)
        add_access(accesses, node->out, false, node->whole_batch);
    if (reads & READS_AUX)
        add_access(accesses, node->aux, false, node->whole_batch);
    if (reads & READS_STATISTICS)
        add_access(accesses, node->statistics, false, true);
}

static void forward_accesses(const Node *node, bool training, AccessList *accesses)
{
    for (int i = 0; i < node->inputs.count; i++)
        add_access(accesses, node->inputs.items[i], false, node->whole_batch);
    if (training)
        add_access(accesses, node->statistics, false, true);
    add_access(accesses, node->out, true, node->whole_batch);
    if (training)
        add_access(accesses, node->aux, true, node->whole_batch);
}

void node_accesses(const Node *node, bool training, AccessList *accesses)
{
    switch (node->stage) {
    case STAGE_FORWARD:
        forward_accesses(node, training, accesses);
        break;
    case STAGE_STATISTICS:
        add_access(accesses, node->inputs.items[0], false, false);
        add_access(accesses, node->statistics, true, false);
        break;
    case STAGE_FILTERS: /* of weights only */
        break;
    case STAGE_BACKWARD_INPUT:
        backward_reads(node, node->op->input_gradient_reads, accesses);
        if (node->accumulate)
            add_access(accesses, node->dx, false, node->whole_batch);
        add_access(accesses, node->dx, true, node->whole_batch);
        if (node->op->input_gradient_reads & WRITES_AUX)
            add_access(accesses, node->aux, true, node->whole_batch);
        break;
    case STAGE_BACKWARD_PARAMETERS:
        backward_reads(node, node->op->parameter_gradient_reads, accesses);
        add_access(accesses, node->contribution, true, false);
        /* Sums over the batch that backward_input will read lie beside the forward ones. */
        add_access(accesses, node->statistics, true, false);
        break;
    case STAGE_ADD_GRADIENTS:
        add_access(accesses, node->contribution, false, false);
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

bool takes_all(const Part *part)
{
    return part->handed && part->role != PART_SUMS && part->role != PART_LOSS;
}

/* What the part hands to the one after it. */
static const Tensor *handed_on(const Part *part, const Part *next)
{
    return next->role == PART_GRADIENT ? part->node->aux : node_result(part->node);
}

bool flows(const Step *step, int i, const Access *access)
{
    const Part *part = &step->parts.items[i], *next = part + 1;
    if (!access->write)
        return access->tensor == part->handed;
    return i + 1 < step->parts.count && takes_all(next) && access->tensor == handed_on(part, next);
}

void part_accesses(const Part *part, bool training, AccessList *accesses)
{
    if (part->role == PART_STATISTICS)
        add_access(accesses, part->node->statistics, false, false);
    else
        node_accesses(part->node, training, accesses);
}

void step_accesses(const Step *step, bool training, AccessList *accesses)
{
    bool makes_filters = step_node(step)->stage == STAGE_FILTERS;
    add_access(accesses, step->workspace, true, false);
    add_access(accesses, step->filters, makes_filters, makes_filters);
    for (int i = 0; i < step->parts.count; i++) {
        AccessList own = {0};
        const Part *part = &step->parts.items[i];
        bool whole_batch = is_of_epilogue(part) && step_node(step)->whole_batch;
        part_accesses(part, training, &own);
        for (int k = 0; k < own.count; k++)
            if (!flows(step, i, &own.items[k]))
                add_access(accesses, step_tensor(step, own.items[k].tensor), own.items[k].write,
                           own.items[k].all_grains || whole_batch);
    }
}
