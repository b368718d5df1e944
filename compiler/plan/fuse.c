/* Fusion: element-by-element nodes are done inside the kernels that make their
 * input, while a value is still in a register.
 *
 * Requires plan->schedule.  Takes nodes out of it and hangs each on an earlier
 * one as a Finish: a relu on the convolution before it, a residual add on the
 * convolution of its last branch, a pooling on the convolution whose rows it
 * halves, and on the way back the relu's gradient on whatever computes the
 * gradient of its output.  A batch norm's sums over its gradient are hung on who
 * stores that, too, a loss on the layer of its logits, with its gradient, and a
 * convolution's weight gradient reads a pooled gradient as it is, not spread out
 * over the windows.  The schedule's nodes are copied before they change: the graph,
 * which the other plan shares, stays.
 *
 * Moving a node to where its input is made is right when nobody else looks at
 * that input (it never exists then), or when the node works in place anyhow and
 * nobody looks between; and when what else the node reads is there already.
 */
#include "netc.h"

#include <string.h>

static const struct {
    const char *name;
    unsigned bit;
} fusions[] = {
    {"activation", FUSE_ACTIVATION}, /* relu and its like, in the kernel before */
    {"residual", FUSE_RESIDUAL},     /* add, in the kernel that makes its last input */
    {"gradient", FUSE_GRADIENT},     /* an activation's gradient, in the kernel that makes its dy */
    /* max_pool2d before the activation it follows, in the convolution before it; see
     * graph/reorder.c, too */
    {"pool", FUSE_POOL},
    /* a pool's, in the weight gradient of the convolution before it */
    {"pool-gradient", FUSE_POOL_GRADIENT},
    /* in the kernel that makes the logits; its gradient, in the kernel that computes it */
    {"loss", FUSE_LOSS},
    {"concat", FUSE_CONCAT},           /* its inputs and their gradients are slices, not copies */
    {"first-layer", FUSE_FIRST_LAYER}, /* no gradient of the images */
    /* of a concat's channels: those of its inputs, where they have been measured; sums of
     * gradients */
    {"statistics", FUSE_STATISTICS},
    /* not of nodes: cheap results are made again on the way back, see plan/recompute.c */
    {"recompute", FUSE_RECOMPUTE},
    /* not of nodes: of a convolution's multiply-adds, see ops/winograd.h */
    {"winograd", FUSE_WINOGRAD},
    /* the runtime's: images are turned to lanes and normalised in one pass */
    {"load", FUSE_LOAD},
    /* the runtime's: gradients move the weights as soon as they are summed */
    {"update", FUSE_UPDATE},
};
enum { FUSIONS = sizeof fusions / sizeof fusions[0] };

const char *fusion_names(void)
{
    Text names = {0};
    for (int i = 0; i < FUSIONS; i++)
        text_add(&names, "%s%s", i ? ", " : "", fusions[i].name);
    return text_chars(&names);
}

static unsigned find_fusion(const char *word, size_t length)
{
    for (int i = 0; i < FUSIONS; i++)
        if (strlen(fusions[i].name) == length && strncmp(fusions[i].name, word, length) == 0)
            return fusions[i].bit;
    return 0;
}

const char *read_fusions(const char *words, unsigned *fuse)
{
    *fuse = 0;
    if (strcmp(words, "none") == 0)
        return NULL;
    for (const char *word = words;;) {
        size_t length = strcspn(word, ",");
        unsigned bit = find_fusion(word, length);
        if (!bit)
            return intern_range(word, length);
        *fuse |= bit;
        if (!word[length])
            return NULL;
        word += length + 1;
    }
}

/* ---------------------------------------------------- who touches what */

typedef struct Region {
    const Tensor *root;
    Int from, to;
} Region; /* elements of root */
typedef struct Use {
    Region region;
    int position;
    bool write;
} Use;
typedef LIST(Use) UseList;

typedef struct Fusion {
    Plan *plan;
    UseList *uses; /* by root's id, by position */
    int *moved;    /* by position: where that node is done now; never later */
    int reached;   /* what stands further on has not moved */
} Fusion;

static Region region_of(const Plan *plan, const Tensor *tensor)
{
    struct Memory memory = memory_of(plan, tensor);
    return (Region){memory.root, memory.offset, memory.offset + shape_elements(tensor->shape)};
}

static bool same_region(Region a, Region b)
{
    return a.root == b.root && a.from == b.from && a.to == b.to;
}

static bool regions_overlap(Region a, Region b)
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

static void note_use(Fusion *fusion, const Tensor *tensor, int position, bool write)
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

static void note_uses(Fusion *fusion)
{
    const Plan *plan = fusion->plan;
    AccessList accesses = {0};
    for (int position = 0; position < plan->schedule.count; position++) {
        accesses.count = 0;
        fusion->moved[position] = position;
        if (plan_skips(plan, plan->schedule.items[position]))
            continue;
        node_accesses(plan->schedule.items[position], plan->training, &accesses);
        for (int i = 0; i < accesses.count; i++)
            note_use(fusion, accesses.items[i].tensor, position, accesses.items[i].write);
    }
    note_use(fusion, plan->logits, plan->schedule.count, false);
}

static int place_of_use(const Fusion *fusion, const Use *use)
{
    return use->position < fusion->plan->schedule.count ? fusion->moved[use->position]
                                                        : use->position;
}

/* Where `region` was last written before `position`; -1: nowhere.  A use that stood
 * no later than one that was found is done no later. */
static int last_write(const Fusion *fusion, Region region, int position)
{
    int last = -1, end = fusion->reached >= position ? fusion->reached + 1 : position;
    const UseList *uses = &fusion->uses[region.root->id];
    for (int i = find_use(uses, end) - 1; i >= 0 && uses->items[i].position > last; i--) {
        int at = place_of_use(fusion, &uses->items[i]);
        if (uses->items[i].write && regions_overlap(uses->items[i].region, region) && at < position
            && at > last)
            last = at;
    }
    return last;
}

/* Whether any use of `region`, or any write, lies at or after `from` and before `to`. */
static bool is_used(const Fusion *fusion, Region region, int from, int to, bool writes_only)
{
    const UseList *uses = &fusion->uses[region.root->id];
    int end = fusion->reached >= to ? fusion->reached + 1 : to;
    for (int i = find_use(uses, from); i < uses->count && uses->items[i].position < end; i++) {
        int at = place_of_use(fusion, &uses->items[i]);
        if (at >= from && at < to && regions_overlap(uses->items[i].region, region)
            && (uses->items[i].write || !writes_only))
            return true;
    }
    return false;
}

/* -------------------------------------------------------------- fusing */

Tensor *node_result(const Node *node)
{
    return node->stage == STAGE_FORWARD ? node->out : node->dx;
}

Node unfused(const Node *node)
{
    Node alone = *node;
    if (node->finishes.count)
        *(node->stage == STAGE_FORWARD ? &alone.out : &alone.dx) = node->finishes.items[0].stored;
    return alone;
}

const Node *pool_of_stores(const Node *node)
{
    const Node *first = node->finishes.count ? node->finishes.items[0].node : NULL;
    return first && first->op->is_max_pool ? first : NULL;
}

Tensor *finish_takes(const Finish *finish)
{
    return finish->which < 0 ? finish->node->dy : finish->node->inputs.items[finish->which];
}

enum { MAX_FINISHES = 64 }; /* of one node: its kernel's name and operands speak of each */

/* Not once sums are made of what it stores. */
static bool can_finish(const Node *node)
{
    if (!node->op || node->sums || node->finishes.count == MAX_FINISHES)
        return false;
    return (node->stage == STAGE_FORWARD && (node->op->traits & OP_TAKES_EPILOGUE))
           || (node->stage == STAGE_BACKWARD_INPUT
               && (node->op->traits & OP_TAKES_GRADIENT_EPILOGUE));
}

/* Which fusion moves this node into another; 0: none does. */
static unsigned fusion_of(const Node *node)
{
    if (node->stage == STAGE_BACKWARD_INPUT)
        return node->accumulate ? 0 : FUSE_GRADIENT;
    if (node->stage != STAGE_FORWARD)
        return 0;
    if (node->op->is_max_pool && node->op->is_max_pool(node))
        return FUSE_POOL;
    return node->inputs.count > 1 ? FUSE_RESIDUAL : FUSE_ACTIVATION;
}

/* What `node` reads besides what flows through it is there when `maker` runs,
 * and still the same. */
static bool operands_are_there(const Fusion *fusion, const Node *node, int which, int maker,
                               int position, Region flowing)
{
    AccessList accesses = {0};
    node_accesses(node, fusion->plan->training, &accesses);
    const Tensor *flows = finish_takes(&(Finish){.node = node, .which = which}),
                 *result = node_result(node);
    for (int i = 0; i < accesses.count; i++) {
        const Tensor *tensor = accesses.items[i].tensor;
        if (tensor == flows
            || (accesses.items[i].write && (tensor == result || tensor == node->aux)))
            continue;
        Region region = region_of(fusion->plan, tensor);
        if (accesses.items[i].write || regions_overlap(region, flowing)
            || is_used(fusion, region, maker, position, true))
            return false;
        /* Its grains lie apart by another stride than the results'. */
        if (fusion->plan->schedule.items[maker]->whole_batch
            && region.root == fusion->plan->graph->input)
            return false;
    }
    return true;
}

/* add(x, x) reads what flows twice: its other operand would not exist. */
static bool flows_once(const Node *node, int which)
{
    for (int i = 0; which >= 0 && i < node->inputs.count; i++)
        if (i != which && node->inputs.items[i] == node->inputs.items[which])
            return false;
    return true;
}

/* A maximum over windows comes first of what is done, and only where the maker gives whole rows. */
static bool hands_rows(const Node *maker, const Node *pool)
{
    return maker->stage == STAGE_FORWARD && !maker->finishes.count && maker->op->can_fuse_pool
           && maker->op->can_fuse_pool(maker, pool);
}

/* The position of the node that can do this one's work on what it stores; -1: none can. */
static int find_maker(const Fusion *fusion, int position, int which)
{
    const Plan *plan = fusion->plan;
    const Node *node = plan->schedule.items[position];
    Region flowing = region_of(plan, finish_takes(&(Finish){.node = node, .which = which})),
           result = region_of(plan, node_result(node));
    int maker = last_write(fusion, flowing, position);
    if (maker < 0 || !can_finish(plan->schedule.items[maker]) || !flows_once(node, which)
        || !same_region(region_of(plan, node_result(plan->schedule.items[maker])), flowing))
        return -1;
    if (fusion_of(node) == FUSE_POOL && !hands_rows(plan->schedule.items[maker], node))
        return -1;
    bool in_place = same_region(flowing, result);
    int end = plan->schedule.count + 1;
    if (is_used(fusion, flowing, maker + 1, position, false)
        || !operands_are_there(fusion, node, which, maker, position, flowing))
        return -1;
    if (in_place)
        return maker;
    bool adds = plan->schedule.items[maker]->accumulate;
    bool seen = is_used(fusion, flowing, position + 1, end, false)
                || is_used(fusion, result, maker, position, false);
    return adds || seen || regions_overlap(flowing, result) ? -1 : maker;
}

Node *node_copy(const Node *node)
{
    Node *copy = NEW(Node);
    *copy = *node;
    copy->finishes.items = NULL;
    copy->finishes.count = copy->finishes.capacity = 0;
    for (int i = 0; i < node->finishes.count; i++)
        push(&copy->finishes, node->finishes.items[i]);
    return copy;
}

/* A copy of the maker that may change, in its place; the node at `position` is done there now. */
static Node *take_over(Fusion *fusion, int maker, int position)
{
    Plan *plan = fusion->plan;
    Node *fused = node_copy(plan->schedule.items[maker]);
    plan->schedule.items[maker] = fused;
    plan->schedule.items[position] = NULL;
    fusion->moved[position] = maker;
    return fused;
}

static void fuse_nodes(Fusion *fusion, int maker, int position, int which)
{
    const Node *node = fusion->plan->schedule.items[position];
    Node *fused = take_over(fusion, maker, position);
    push(&fused->finishes, ((Finish){node, which, node_result(fused)}));
    if (node->stage == STAGE_FORWARD)
        fused->out = node->out;
    else
        fused->dx = node->dx;
}

static void try_node(Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = plan->schedule.items[position];
    if (!node->op || plan_skips(plan, node) || !(fusion_of(node) & plan->fuse))
        return;
    if (fusion_of(node) != FUSE_POOL && !pointwise_expression(node))
        return;
    int best = -1, best_which = -1, inputs = node->stage == STAGE_FORWARD ? node->inputs.count : 1;
    for (int i = 0; i < inputs; i++) {
        int which = node->stage == STAGE_FORWARD ? i : -1,
            maker = find_maker(fusion, position, which);
        if (maker > best) {
            best = maker;
            best_which = which;
        }
    }
    if (best >= 0)
        fuse_nodes(fusion, best, position, best_which);
}

/* Whether the node at `position`, which sums, can have it done by the one at `maker`, which
 * stores its dy. */
static bool can_sum(const Fusion *fusion, int maker, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = plan->schedule.items[position],
               *stores = maker < 0 ? NULL : plan->schedule.items[maker];
    return stores && stores->stage == STAGE_BACKWARD_INPUT && stores->op->can_fuse_sums
           && stores->op->can_fuse_sums(stores, node) && !stores->sums
           && same_region(region_of(plan, stores->dx), region_of(plan, node->dy))
           && !is_used(fusion, region_of(plan, node->inputs.items[0]), maker, position, true);
}

/* Sums over a gradient are made as it is stored. */
static void try_sums(Fusion *fusion, int position)
{
    Plan *plan = fusion->plan;
    const Node *node = plan->schedule.items[position];
    if (!(plan->fuse & FUSE_STATISTICS) || node->stage != STAGE_BACKWARD_PARAMETERS
        || !(node->op->traits & OP_SUMS_GRADIENT))
        return;
    int maker = last_write(fusion, region_of(plan, node->dy), position);
    if (can_sum(fusion, maker, position))
        take_over(fusion, maker, position)->sums = node;
}

/* The position before `position` at which the loss of this gradient is computed; -1: none is. */
static int find_loss(const Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    for (int i = position - 1; i >= 0; i--) {
        const Node *earlier = plan->schedule.items[i];
        if (earlier && earlier->stage == STAGE_FORWARD
            && earlier->path == plan->schedule.items[position]->path)
            return i;
    }
    return -1;
}

/* A loss stores its gradient at once, while it has the softmax, or its like, at hand. */
static void try_loss(Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = plan->schedule.items[position];
    if (!(plan->fuse & FUSE_LOSS) || node->stage != STAGE_BACKWARD_INPUT
        || !(node->op->traits & OP_MAKES_GRADIENT) || node->accumulate)
        return;
    int maker = find_loss(fusion, position);
    if (maker < 0 || is_used(fusion, region_of(plan, node->dx), maker, position, false)
        || is_used(fusion, region_of(plan, node->inputs.items[0]), maker, position, true))
        return;
    take_over(fusion, maker, position)->gradient = node;
}

/* Whether the node at `maker` makes all that the loss reads, grain by grain. */
static bool makes_logits(const Fusion *fusion, int maker, const Node *loss)
{
    const Plan *plan = fusion->plan;
    const Node *layer = maker < 0 ? NULL : plan->schedule.items[maker];
    return layer && layer->stage == STAGE_FORWARD && layer->op->multiply_adds && !layer->whole_batch
           && same_region(region_of(plan, node_result(layer)),
                          region_of(plan, loss->inputs.items[0]));
}

/* A layer that makes all of a grain's logits computes their loss, too. */
static void try_logits(Fusion *fusion, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = plan->schedule.items[position];
    if (!(plan->fuse & FUSE_LOSS) || node->stage != STAGE_FORWARD
        || !(node->op->traits & OP_MAKES_GRADIENT))
        return;
    int maker = last_write(fusion, region_of(plan, node->inputs.items[0]), position);
    if (!makes_logits(fusion, maker, node)
        || (node->gradient
            && is_used(fusion, region_of(plan, node->gradient->dx), maker, position, false)))
        return;
    take_over(fusion, maker, position)->loss = node;
}

/* Whether the node at `position` can read what the pool at `maker` reads, instead of its dy. */
static bool can_unpool(const Fusion *fusion, int maker, int position)
{
    const Plan *plan = fusion->plan;
    const Node *node = plan->schedule.items[position],
               *pool = maker < 0 ? NULL : plan->schedule.items[maker];
    return pool && pool->stage == STAGE_BACKWARD_INPUT && !pool->accumulate && !pool->finishes.count
           && pool->op->is_max_pool && pool->op->is_max_pool(pool)
           && node->op->can_fuse_pool_gradient(node, pool)
           && same_region(region_of(plan, pool->dx), region_of(plan, node->dy))
           && !is_used(fusion, region_of(plan, pool->dy), maker, position, true)
           && !is_used(fusion, region_of(plan, pool->aux), maker, position, true);
}

/* A weight gradient of what a pool follows; where nobody else wants the pool's
 * own gradient, that is not made. */
static void try_unpooling(Fusion *fusion, int position)
{
    Plan *plan = fusion->plan;
    const Node *node = plan->schedule.items[position];
    if (!(plan->fuse & FUSE_POOL_GRADIENT) || node->stage != STAGE_BACKWARD_PARAMETERS
        || !node->op->can_fuse_pool_gradient || node->whole_batch)
        return;
    Region dy = region_of(plan, node->dy);
    int maker = last_write(fusion, dy, position), end = plan->schedule.count + 1;
    if (maker < 0 || !can_unpool(fusion, maker, position))
        return;
    Node *fused = node_copy(node);
    fused->pool = plan->schedule.items[maker];
    plan->schedule.items[position] = fused;
    note_use(fusion, fused->pool->dy, position, false);
    note_use(fusion, fused->pool->aux, position, false);
    if (!is_used(fusion, dy, maker + 1, position, false)
        && !is_used(fusion, dy, position + 1, end, false))
        plan->schedule.items[maker] = NULL;
}

static void close_gaps(Plan *plan)
{
    int kept = 0;
    for (int i = 0; i < plan->schedule.count; i++) {
        if (!plan->schedule.items[i])
            continue;
        plan->schedule.items[kept++] = plan->schedule.items[i];
    }
    plan->schedule.count = kept;
}

void fuse_plan(Plan *plan)
{
    Fusion fusion = {
        .plan = plan,
        .uses = NEW_ARRAY(UseList, (size_t)plan->graph->tensors.count),
        .moved = NEW_ARRAY(int, (size_t)plan->schedule.count),
    };
    note_uses(&fusion);
    for (int position = 0; position < plan->schedule.count; position++) {
        fusion.reached = position;
        try_node(&fusion, position);
        if (!plan->schedule.items[position])
            continue;
        try_sums(&fusion, position);
        if (plan->schedule.items[position])
            try_unpooling(&fusion, position);
        if (plan->schedule.items[position])
            try_loss(&fusion, position);
    }
    for (int position = 0; position < plan->schedule.count; position++)
        if (plan->schedule.items[position])
            try_logits(&fusion, position);
    close_gaps(plan);
}

void give_work(Plan *plan)
{
    for (int i = 0; i < plan->schedule.count; i++) {
        const Node *node = plan->schedule.items[i], alone = unfused(node);
        if (!(plan->fuse & FUSE_WINOGRAD) || plan->lanes == 1 || !node->op || !node->op->work
            || node->whole_batch)
            continue;
        Int vectors = node->op->work(&alone, pool_of_stores(node), plan->lanes);
        if (!vectors)
            continue;
        Node *given = node_copy(node);
        given->work = new_tensor((Graph *)plan->graph, TENSOR_AUX, format("%s work", node->path),
                                 shape_of(1, vectors, 1, 1));
        plan->schedule.items[i] = given;
    }
}
