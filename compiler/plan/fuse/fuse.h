/* fuse.h: what the fusions share.
 *
 * A fusion is a file of this folder and a row of graph/fusions.def.  It looks at the step
 * at a position and may give its work to an earlier step (take_over), which then does it
 * while a value is still in a register.
 *
 * Moving a node to where its input is made is right when nobody else looks at that input (it
 * never exists then), or when the node works in place anyhow and nobody looks between; and
 * when what else the node reads is there already.
 */
#ifndef FUSE_H
#define FUSE_H

#include "plan/plan.h"

/* Elements of root. */
typedef struct Region {
    const Tensor *root;
    Int from, to;
} Region;
typedef struct Use {
    Region region;
    int position;
    bool write;
} Use;
typedef LIST(Use) UseList;

typedef struct Fusion {
    Plan *plan;
    UseList *uses;       /* by root's id, by position */
    int *moved;          /* by position: where that step's work is done now; never later */
    int reached;         /* what stands further on has not moved */
    const Node **summed; /* by tensor id: the statistics node whose sums are of it; NULL: none */
} Fusion;

/* A fusion; afterwards the step at `position` is gone, or as it was, or has another part. */
typedef void Fuse(Fusion *fusion, int position);
#define FUSION(bit, name, kernels, function) Fuse function;
#define FUSION_AFTER(bit, name, function) Fuse function;
#define FUSION_ALWAYS(function) Fuse function;
#include "graph/fusions.def"

/* uses.c: who touches what. */
void note_uses(Fusion *fusion);
void note_use(Fusion *fusion, const Tensor *tensor, int position, bool write);
Region region_of(const Plan *plan, const Tensor *tensor);
bool same_region(Region a, Region b);
bool regions_overlap(Region a, Region b);
/* Where `region` was last written before `position`; -1: nowhere. */
int last_write(const Fusion *fusion, Region region, int position);
/* Whether any use of `region`, or any write, lies at or after `from` and before `to`. */
bool is_used(const Fusion *fusion, Region region, int from, int to, bool writes_only);

/* fuse.c */
static inline const Node *node_at(const Fusion *fusion, int position)
{
    return step_node(fusion->plan->steps.items[position]);
}
/* The step at `position` is gone: its parts, the first in this role and taking this tensor,
 * are the last of the step at `maker`. */
void take_over(Fusion *fusion, int maker, int position, PartRole role, int which,
               const Tensor *handed);

/* epilogue.c: the step at `position`, of one node, is done on what an earlier one stores, for
 * the last of its inputs that is made so. */
void fuse_epilogue(Fusion *fusion, int position, PartRole role);
/* Whether it is a norm that scales and shifts each channel, and no more: one in evaluation. */
bool is_affine_norm(const Fusion *fusion, int position);

#endif
