/* Where every tensor lies.
 *
 * Requires plan->steps with their phases.  Makes plan->placements and the sizes of the arenas.
 *
 * Three steps.  Share: tensors that are views, that a concat can have written
 * straight into its output, or that an element-by-element operator can
 * overwrite, become parts of one root.  Span: each root gets the positions
 * between which it is live, and its arena: a tensor that dies within a phase
 * lies in the thread's scratch, which stays in a core's cache from grain to
 * grain; one that outlives a phase, or that other grains read, is kept per
 * grain.  Place: largest first, each at the lowest offset where nothing that
 * lives at the same time lies.
 */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct Sharing {
    Plan *plan;
    Tensor **link; /* by tensor id: what it is part of; itself for a root */
    Int *shift;    /* by tensor id: where in link, in vectors */
    /* Members of one root that fill the same vectors of it are one: the next three are then
     * right for the one that stands for them. */
    int *first, *last; /* by tensor id: positions of the first and last access; -1 none */
    bool *kept;        /* by tensor id: its root must be kept */
    int *same;         /* by tensor id: which one stands for it; itself, mostly */
    int *next, *end; /* by tensor id: the next member of its root, -1 none; by root id: the last */
} Sharing;

Int tensor_vectors(const Tensor *tensor, int lanes)
{
    Int elements = shape_elements(tensor->shape);
    return tensor->role == TENSOR_STATISTICS ? (elements + lanes - 1) / lanes : elements;
}

/* ---------------------------------------------------------------- share */

/* Links all on the way to the root itself, so that no way stays long. */
static Tensor *root_of(const Sharing *sharing, Tensor *tensor, Int *offset)
{
    Tensor *root = tensor;
    *offset = 0;
    for (; sharing->link[root->id] != root; root = sharing->link[root->id])
        *offset += sharing->shift[root->id];
    for (Int left = *offset; tensor != root;) {
        Tensor *next = sharing->link[tensor->id];
        Int shift = sharing->shift[tensor->id];
        sharing->link[tensor->id] = root;
        sharing->shift[tensor->id] = left;
        left -= shift;
        tensor = next;
    }
    return root;
}

static int stands_for(const Sharing *sharing, const Tensor *tensor)
{
    int id = tensor->id;
    while (sharing->same[id] != id)
        id = sharing->same[id] = sharing->same[sharing->same[id]];
    return id;
}

static Int size_of(const Sharing *sharing, const Tensor *tensor)
{
    return tensor_vectors(tensor, sharing->plan->lanes);
}

/* From now on `other` stands for `id`, too. */
static void unite(Sharing *sharing, int id, int other)
{
    int first = sharing->first[id], last = sharing->last[id];
    if (first >= 0 && (sharing->first[other] < 0 || first < sharing->first[other]))
        sharing->first[other] = first;
    if (last > sharing->last[other])
        sharing->last[other] = last;
    sharing->kept[other] |= sharing->kept[id];
    sharing->same[id] = other;
}

static void link_root(Sharing *sharing, Tensor *root, Tensor *to, Int offset)
{
    Int at;
    Tensor *new_root = root_of(sharing, to, &at);
    sharing->link[root->id] = new_root;
    sharing->shift[root->id] = at + offset;
    int first = root->id;
    if (offset == 0 && size_of(sharing, root) == size_of(sharing, to)) {
        unite(sharing, root->id, stands_for(sharing, to));
        first = sharing->next[root->id];
    }
    if (first < 0)
        return;
    sharing->next[sharing->end[new_root->id]] = first;
    sharing->end[new_root->id] = sharing->end[root->id];
}

/* Makes `tensor` the part of `whole` that starts at `offset`, if it can be moved:
 * it fills its own root, and that is not the input or `whole` itself. */
static bool make_part(Sharing *sharing, Tensor *tensor, Tensor *whole, Int offset)
{
    Int at, ignored;
    Tensor *root = root_of(sharing, tensor, &at);
    if (at != 0 || size_of(sharing, root) != size_of(sharing, tensor) || root->role == TENSOR_INPUT
        || root == root_of(sharing, whole, &ignored))
        return false;
    link_root(sharing, root, whole, offset);
    return true;
}

/* A node that does not run hands its input on. */
static void share_views(Sharing *sharing)
{
    const Plan *plan = sharing->plan;
    for (int i = 0; i < plan->tensors.count; i++) {
        Tensor *tensor = plan->tensors.items[i];
        if (tensor->base != tensor)
            link_root(sharing, tensor, tensor->base, tensor->offset);
        else if (tensor->role == TENSOR_ACTIVATION && tensor->producer
                 && node_is_skipped(plan, tensor->producer))
            link_root(sharing, tensor, tensor->producer->inputs.items[0], 0);
    }
}

static void share_slices(Sharing *sharing, const Node *concat)
{
    Int offset = 0;
    for (int i = 0; i < concat->inputs.count; i++) {
        make_part(sharing, concat->inputs.items[i], concat->out, offset);
        offset += size_of(sharing, concat->inputs.items[i]);
    }
}

/* True when nobody looks at `tensor`'s memory after `position`. */
static bool is_dead_after(const Sharing *sharing, Tensor *tensor, int position)
{
    Int from, at;
    Tensor *root = root_of(sharing, tensor, &from);
    if (root->role == TENSOR_INPUT || sharing->last[stands_for(sharing, tensor)] > position)
        return false;
    for (int id = root->id; id >= 0; id = sharing->next[id]) {
        Tensor *member = sharing->plan->tensors.items[id];
        root_of(sharing, member, &at);
        bool overlaps =
            at < from + size_of(sharing, tensor) && from < at + size_of(sharing, member);
        if (overlaps && sharing->last[id] > position)
            return false;
    }
    return true;
}

static void share_in_place(Sharing *sharing, const Step *step, int position)
{
    Tensor *input = step_tensor(step, step_node(step)->inputs.items[0]),
           *result = step_result(step);
    if (!is_dead_after(sharing, input, position))
        return;
    if (!make_part(sharing, result, input, 0))
        make_part(sharing, input, result, 0);
}

static void keep_output(Sharing *sharing, const Tensor *output)
{
    sharing->last[output->id] = sharing->plan->steps.count;
    sharing->kept[output->id] = true;
}

static void note_accesses(Sharing *sharing)
{
    const Plan *plan = sharing->plan;
    AccessList accesses = {0};
    int end = -1; /* of the phase */
    for (int position = 0; position < plan->steps.count; position++) {
        while (end < position
               || (end + 1 < plan->steps.count
                   && plan->steps.items[end + 1]->phase == plan->steps.items[position]->phase))
            end++;
        accesses.count = 0;
        step_accesses(plan->steps.items[position], plan->training, &accesses);
        for (int i = 0; i < accesses.count; i++) {
            int id = accesses.items[i].tensor->id;
            if (sharing->first[id] < 0)
                sharing->first[id] = position;
            int until = position;
            if (accesses.items[i].all_grains) {
                /* Other threads may still read it until all have met. */
                until = end;
                sharing->kept[id] = true;
            }
            if (until > sharing->last[id])
                sharing->last[id] = until;
        }
    }
    keep_output(sharing, plan->logits);
    for (int i = 0; i < plan->outputs.count; i++)
        keep_output(sharing, plan->outputs.items[i]);
}

static void share(Sharing *sharing)
{
    const Plan *plan = sharing->plan;
    share_views(sharing);
    for (int i = 0; i < plan->steps.count; i++) {
        const Node *node = step_node(plan->steps.items[i]);
        if ((plan->fuse & FUSE_CONCAT) && node->stage == STAGE_FORWARD
            && (node_traits(node) & OP_CONCATENATES))
            share_slices(sharing, node);
    }
    for (int i = 0; i < plan->steps.count; i++) {
        const Step *step = plan->steps.items[i];
        if (step_node(step)->stage == STAGE_FORWARD && (node_traits(step_node(step)) & OP_IN_PLACE)
            && !plan_skips(plan, step))
            share_in_place(sharing, step, i);
    }
}

/* ----------------------------------------------------------------- span */

static Int input_offset(const Graph *graph, const Tensor *tensor)
{
    int i = 0;
    while (graph->inputs.items[i].tensor != tensor)
        i++;
    return graph->inputs.items[i].offset;
}

/* A root's life is its members'; it is kept when one of them must be, or when
 * it lives in more than one phase. */
static void span_root(const Sharing *sharing, Tensor *root)
{
    const Plan *plan = sharing->plan;
    Placement *placement = &sharing->plan->placements[root->id];
    *placement = (Placement){.root = root, .first = -1, .last = -1};
    bool kept = false;
    for (int id = root->id; id >= 0; id = sharing->next[id]) {
        if (sharing->first[id] >= 0
            && (placement->first < 0 || sharing->first[id] < placement->first))
            placement->first = sharing->first[id];
        if (sharing->last[id] > placement->last)
            placement->last = sharing->last[id];
        kept |= sharing->kept[id];
    }
    if (root->role == TENSOR_INPUT) {
        placement->space = SPACE_INPUT;
        placement->address = input_offset(plan->graph, root);
        return;
    }
    if (placement->first < 0)
        return;
    if (root->role == TENSOR_FILTERS) {
        placement->space = SPACE_FILTERS;
        return;
    }
    kept |=
        placement->last >= plan->steps.count
        || plan->steps.items[placement->first]->phase != plan->steps.items[placement->last]->phase;
    placement->space = kept ? SPACE_KEPT : SPACE_SCRATCH;
}

/* ------------------------------------------------------------ addresses */

typedef struct Block {
    Placement *placement;
    Int size;
} Block;
typedef LIST(Block) BlockList;

static int larger_first(const void *a, const void *b)
{
    const Block *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->placement->root->id - y->placement->root->id;
}

/* The lowest offset at which the block fits between those of `placed`, which are
 * sorted by offset, that live while it does. */
static Int lowest_gap(const BlockList *placed, const Block *block)
{
    Int at = 0;
    for (int i = 0; i < placed->count; i++) {
        const Block *other = &placed->items[i];
        if (other->placement->first > block->placement->last
            || block->placement->first > other->placement->last)
            continue;
        if (other->placement->address - at >= block->size)
            break;
        if (other->placement->address + other->size > at)
            at = other->placement->address + other->size;
    }
    return at;
}

/* Among those sorted by offset; there is room for one more. */
static void insert_block(BlockList *placed, const Block *block)
{
    int at = placed->count++;
    for (; at > 0 && placed->items[at - 1].placement->address > block->placement->address; at--)
        placed->items[at] = placed->items[at - 1];
    placed->items[at] = *block;
}

/* Places all blocks of one arena in their order, each as low as those before it
 * allow; gives the arena's size in vectors, and in *top the block that reaches it.
 * `placed` has room for all. */
static Int place_in_order(BlockList *blocks, BlockList placed, int *top)
{
    Int end = 0;
    placed.count = 0;
    for (int i = 0; i < blocks->count; i++) {
        Block *block = &blocks->items[i];
        block->placement->address = lowest_gap(&placed, block);
        insert_block(&placed, block);
        if (block->placement->address + block->size > end) {
            end = block->placement->address + block->size;
            *top = i;
        }
    }
    return end;
}

static void move_forward(BlockList *blocks, int from, int to)
{
    Block moved = blocks->items[from];
    memmove(&blocks->items[to + 1], &blocks->items[to], (size_t)(from - to) * sizeof moved);
    blocks->items[to] = moved;
}

/* ---- thousands of blocks: each when its life begins, in the first gap that others have left */

enum {
    MAX_ORDERED = 4000, /* blocks: beyond that, comparing each with each takes long */
    MAX_GAPS = 1000
}; /* more are forgotten, and what lay there is not used again */

typedef struct Gap {
    Int from, to;
} Gap;
/* ascending, apart; the arena's end */
typedef struct Gaps {
    Gap items[MAX_GAPS];
    int count;
    Int end;
} Gaps;

static void close_gap(Gaps *gaps, int at)
{
    gaps->count--;
    memmove(&gaps->items[at], &gaps->items[at + 1],
            (size_t)(gaps->count - at) * sizeof *gaps->items);
}

static Int take_gap(Gaps *gaps, Int size)
{
    for (int i = 0; i < gaps->count; i++) {
        Gap *gap = &gaps->items[i];
        if (gap->to == gaps->end && gap->to - gap->from < size)
            gaps->end = gap->to = gap->from + size;
        if (gap->to - gap->from < size)
            continue;
        Int at = gap->from;
        gap->from += size;
        if (gap->from == gap->to)
            close_gap(gaps, i);
        return at;
    }
    gaps->end += size;
    return gaps->end - size;
}

static void give_gap(Gaps *gaps, Int from, Int to)
{
    int at = 0;
    while (at < gaps->count && gaps->items[at].from < from)
        at++;
    if (at < gaps->count && gaps->items[at].from == to) {
        to = gaps->items[at].to;
        close_gap(gaps, at);
    }
    if (at > 0 && gaps->items[at - 1].to == from) {
        gaps->items[at - 1].to = to;
    } else if (gaps->count < MAX_GAPS) {
        memmove(&gaps->items[at + 1], &gaps->items[at],
                (size_t)(gaps->count - at) * sizeof *gaps->items);
        gaps->items[at] = (Gap){from, to};
        gaps->count++;
    }
}

static int earlier_first(const void *a, const void *b)
{
    const Block *x = a, *y = b;
    int order = x->placement->first - y->placement->first;
    return order ? order : x->placement->root->id - y->placement->root->id;
}

static int earlier_last(const void *a, const void *b)
{
    const Block *x = a, *y = b;
    int order = x->placement->last - y->placement->last;
    return order ? order : x->placement->root->id - y->placement->root->id;
}

/* Gives the arena's size in vectors. */
static Int place_in_time(BlockList *blocks)
{
    size_t count = (size_t)blocks->count;
    Block *ending = NEW_ARRAY(Block, count);
    Gaps *gaps = NEW(Gaps);
    memcpy(ending, blocks->items, count * sizeof *ending);
    qsort(blocks->items, count, sizeof *blocks->items, earlier_first);
    qsort(ending, count, sizeof *ending, earlier_last);
    for (size_t i = 0, ended = 0; i < count; i++) {
        const Block *block = &blocks->items[i];
        for (; ending[ended].placement->last < block->placement->first; ended++)
            give_gap(gaps, ending[ended].placement->address,
                     ending[ended].placement->address + ending[ended].size);
        block->placement->address = take_gap(gaps, block->size);
    }
    return gaps->end;
}

/* ---- fewer */

enum { MAX_TRIES = 200, MAX_PAIRS = 4000000 }; /* blocks looked at in all tries */

/* Largest first is mostly close to the best.  Where it leaves gaps, the block
 * that sticks out is given an earlier turn, as far forward as chance says, until
 * nothing is wasted or the tries run out.  `bound`: no placement can do with less. */
static Int place_blocks(BlockList *blocks, Int bound)
{
    int top = 0, tries = 0;
    uint32_t chance = 1;
    BlockList placed = {.items = NEW_ARRAY(Block, (size_t)blocks->count + 1)}, order = *blocks;
    order.items = NEW_ARRAY(Block, (size_t)blocks->count + 1);
    if (!blocks->count)
        return 0;
    if (blocks->count > MAX_ORDERED)
        return place_in_time(blocks);
    qsort(blocks->items, (size_t)blocks->count, sizeof *blocks->items, larger_first);
    Int end = place_in_order(blocks, placed, &top), best = end;
    memcpy(order.items, blocks->items, (size_t)blocks->count * sizeof *order.items);
    while (best > bound && ++tries < MAX_TRIES
           && (Int)tries * blocks->count * blocks->count < MAX_PAIRS) {
        chance = chance * 1664525 + 1013904223; /* Numerical Recipes' generator */
        move_forward(blocks, top, (int)((chance >> 8) % (uint32_t)(top + 1)));
        end = place_in_order(blocks, placed, &top);
        if (end < best) {
            best = end;
            memcpy(order.items, blocks->items, (size_t)blocks->count * sizeof *order.items);
        }
    }
    return place_in_order(&order, placed, &top);
}

/* The most that is live at once: no placement can do with less. */
static Int max_live(const BlockList *blocks, int positions)
{
    Int *change = NEW_ARRAY(Int, (size_t)positions + 2);
    for (int i = 0; i < blocks->count; i++) {
        change[blocks->items[i].placement->first] += blocks->items[i].size;
        change[blocks->items[i].placement->last + 1] -= blocks->items[i].size;
    }
    Int live = 0, max = 0;
    for (int i = 0; i <= positions; i++) {
        live += change[i];
        max = live > max ? live : max;
    }
    return max;
}

/* With one lane a vector is an element: then, too, every root starts a cache line. */
static Int aligned_size(const Sharing *sharing, const Tensor *root)
{
    Int size = size_of(sharing, root);
    return sharing->plan->lanes > 1 ? size : (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

/* One after the other: all are made before the first is read. */
static void place_filters(Plan *plan)
{
    Int vectors = 0;
    for (int i = 0; i < plan->tensors.count; i++) {
        Placement *placement = &plan->placements[i];
        if (placement->space != SPACE_FILTERS)
            continue;
        placement->address = vectors;
        vectors += tensor_vectors(plan->tensors.items[i], plan->lanes);
    }
    plan->filter_elements = vectors * plan->lanes;
}

static void place_roots(const Sharing *sharing)
{
    Plan *plan = sharing->plan;
    BlockList scratch = {0}, kept = {0};
    for (int i = 0; i < plan->tensors.count; i++) {
        Tensor *tensor = plan->tensors.items[i];
        Block block = {&plan->placements[i], aligned_size(sharing, tensor)};
        if (sharing->link[i] == tensor && block.placement->space == SPACE_SCRATCH)
            push(&scratch, block);
        if (sharing->link[i] == tensor && block.placement->space == SPACE_KEPT)
            push(&kept, block);
    }
    Int scratch_bound = max_live(&scratch, plan->steps.count),
        kept_bound = max_live(&kept, plan->steps.count);
    plan->scratch_elements = place_blocks(&scratch, scratch_bound) * plan->lanes;
    plan->kept_elements = place_blocks(&kept, kept_bound) * plan->lanes;
    plan->lower_bound = (scratch_bound + kept_bound) * plan->lanes + plan->filter_elements;
}

void place_tensors(Plan *plan)
{
    size_t count = (size_t)plan->tensors.count;
    Sharing sharing = {
        .plan = plan,
        .link = NEW_ARRAY(Tensor *, count),
        .shift = NEW_ARRAY(Int, count),
        .first = NEW_ARRAY(int, count),
        .last = NEW_ARRAY(int, count),
        .kept = NEW_ARRAY(bool, count),
        .same = NEW_ARRAY(int, count),
        .next = NEW_ARRAY(int, count),
        .end = NEW_ARRAY(int, count),
    };
    plan->placements = NEW_ARRAY(Placement, count);
    for (size_t i = 0; i < count; i++) {
        Tensor *tensor = plan->tensors.items[i];
        sharing.link[i] = tensor;
        sharing.same[i] = sharing.end[i] = (int)i;
        sharing.next[i] = -1;
        sharing.first[i] = sharing.last[i] = -1;
    }
    note_accesses(&sharing);
    share(&sharing);
    for (size_t i = 0; i < count; i++)
        if (sharing.link[i] == plan->tensors.items[i])
            span_root(&sharing, plan->tensors.items[i]);
    place_filters(plan);
    place_roots(&sharing);
    for (size_t i = 0; i < count; i++) {
        Int offset;
        Tensor *root = root_of(&sharing, plan->tensors.items[i], &offset);
        Placement placed = plan->placements[root->id];
        if (root->id != (int)i)
            plan->placements[i] = (Placement){
                root, offset, placed.space, placed.address + offset, placed.first, placed.last};
    }
}
