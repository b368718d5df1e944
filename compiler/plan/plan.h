/* plan.h: when each node's work is done, in which kernel, and where every tensor lies.
 *
 *   order.c      which nodes run, in which order; phases, between which the threads meet
 *   steps.c      what a step is made of, and what is derived from that: its result, its accesses
 *   fuse/        one file a fusion: nodes' work that another's kernel does besides
 *   recompute.c  on the way back, what is cheap is made again
 *   workspace.c  memory that kernels use meanwhile, and weights transformed once a step
 *   memory.c     where every tensor lies
 *   reads.c      what a phase reads of all grains
 *   sums.c       which gradients are whole after a phase
 *   pieces.c     which kernels are large enough for several threads to share one grain's
 *   dump.c       the plan as text
 *
 * The graph is const here.  A plan owns its steps, and the tensors and nodes that only it
 * has (workspace, what is made again, statistics).
 */
#ifndef PLAN_H
#define PLAN_H

#include "graph/graph.h"

/* Where a tensor lies.  Counted in vectors of `lanes` elements. */
typedef enum Space {
    SPACE_NONE,    /* never touched by this plan */
    SPACE_INPUT,   /* the step's input */
    SPACE_SCRATCH, /* the thread's arena: dies within a phase */
    SPACE_KEPT,    /* the grain's arena: outlives a phase, or is read by other grains */
    SPACE_FILTERS  /* the step's: of weights only, the same for all grains */
} Space;
typedef struct Placement {
    Tensor *root; /* the tensor whose memory it shares; itself, mostly */
    Int offset;   /* within root */
    Space space;
    Int address;     /* from the start of the space, offset included */
    int first, last; /* roots: schedule positions between which it is live */
} Placement;

/* What a node touches.  The one list that phases, lifetimes and verification
 * are all computed from. */
typedef struct Access {
    Tensor *tensor;
    bool write;
    bool all_grains;
} Access;
typedef LIST(Access) AccessList;

typedef struct Plan Plan;
typedef struct Step Step;

/* What a node's work is in a step, in the order in which values flow. */
typedef enum PartRole {
    /* before MAIN, a weight gradient: the max pool through whose windows dy is read;
     * after MAIN, forward: a max pool of what it makes */
    PART_POOL,
    PART_MAIN,      /* whose kernel it is */
    PART_AFFINE,    /* a norm in evaluation, of MAIN's sums before all else; for one
                     * image MAIN's weights take in its scale and shift */
    PART_EPILOGUE,  /* element by element, on each value before it is stored */
    PART_GRADIENT,  /* of a loss just before: its input's gradient, at once */
    PART_SUMS,      /* a norm's sums over a gradient, of what MAIN stores */
    PART_LOSS,      /* of the logits that MAIN stores */
    PART_STATISTICS /* an earlier norm's step, whose sums are some channels' of MAIN's, too */
} PartRole;

typedef struct Part {
    const Node *node;
    PartRole role;
    int which;            /* EPILOGUE, POOL after MAIN: the input that flows in; -1: dy.
                             STATISTICS: MAIN's channel that the other's first is */
    const Tensor *handed; /* what it takes from the part before; NULL: nothing */
} Part;

/* A tensor that a step finds elsewhere. */
typedef struct Renamed {
    const Tensor *from;
    Tensor *to;
} Renamed;

/* One kernel: MAIN and what is done besides. */
struct Step {
    LIST(Part) parts;
    Tensor *workspace; /* memory that the kernel uses meanwhile; NULL: none */
    Tensor *filters;   /* what it reads of its weights, or as STAGE_FILTERS makes; NULL: none */
    const Step *makes; /* STAGE_FILTERS: whose they are; NULL: another stage */
    bool recompute;    /* done a second time, on the way back */
    bool splits;       /* several threads share it, where there are more of them than grains */
    double seconds;    /* that one thread needs for a grain, by estimate */
    /* recompute: what it makes is the plan's own tensor; so are the inputs of who reads that */
    LIST(Renamed) renamed;
    int phase; /* ascending */
};

/* One way through the network: for training or for inference. */
struct Plan {
    const Graph *graph;
    bool training;
    int lanes;              /* 1: for one image, [height][width][channels] */
    bool for_ranks;         /* MPI's: large gradients end a phase, and are on their way meanwhile */
    unsigned fuse;          /* FUSE_… */
    LIST(Tensor *) tensors; /* by id: the graph's, then the plan's own */
    LIST(Step *) steps;     /* in execution order */
    /* by tensor id: whose memory it is; see memory_of */
    struct Memory {
        Tensor *root;
        Int offset;
    } * memory;
    int phases;
    Placement *placements; /* by tensor id */
    Int scratch_elements;  /* per thread, lanes included */
    Int kept_elements;     /* per grain, lanes included */
    Int filter_elements;   /* likewise, of all grains */
    Int lower_bound;       /* elements: the most that is live at once in each of the three, added */
    Tensor *logits;        /* SPACE_KEPT */
    LIST(Tensor *) outputs; /* of graph->outputs, likewise */
};

/* A program's; NULL: it has none such. */
typedef struct Plans {
    Plan *training, *inference;
    Plan *one_image;
    Plan *one_row;        /* of a step of a sequence; where there is none though it is one, … */
    const Node *obstacle; /* … the layer that looks at other steps */
} Plans;

/* plan.c: a graph's own; the graph stays as it is. */
Plan *make_plan(const Graph *graph, bool training, int lanes, unsigned fuse, bool for_ranks);
const char *plan_name(const Plan *plan); /* "training", "inference", "single", "row" */
/* Whether gradients move the weights as they are summed: not where a clip wants them all first. */
bool updates_at_once(const Graph *graph, unsigned fuse);
/* pieces.c: which kernels a team's threads share: those that are worth it, or all, or none. */
typedef enum Split { SPLIT_AUTO, SPLIT_ALL, SPLIT_NONE } Split;
void split_steps(Plan *plan, Split split);
Int weights_of(const Node *node);            /* elements of its parameters */
void dump_plan(const Plan *plan, FILE *out); /* dump.c */
/* reads.c: by phase, what is gathered from the grains of other ranks. */
typedef LIST(Tensor *) TensorList;
typedef struct PhaseReads {
    TensorList early, late; /* before what computes grains; before what is for the whole batch */
} PhaseReads;
PhaseReads *find_reads(const Plan *plan);
/* sums.c: by phase, stretches of the gradients of which every grain's part is there. */
typedef struct Stretch {
    Int from, to; /* elements */
} Stretch;
typedef LIST(Stretch) PhaseSums;
PhaseSums *find_sums(const Plan *plan);
Int tensor_vectors(const Tensor *tensor, int lanes); /* memory.c */
/* Whether there is a step at that position, of that phase. */
static inline bool is_in_phase(const Plan *plan, int position, int phase)
{
    return position < plan->steps.count && plan->steps.items[position]->phase == phase;
}
/* fuse/fuse.c */
/* "none" or "NAME,…"; gives a name that is unknown, or NULL */
const char *read_fusions(const char *words, unsigned *fuse);
const char *fusion_names(void); /* for help: "activation, residual, …" */

/* ------------------------------------------------ for the files of this room */

/* steps.c */
Step *new_step(const Node *node); /* of this node alone */
Tensor *plan_tensor(Plan *plan, TensorRole role, const char *name, Shape shape);
const Part *main_part(const Step *step);
static inline const Node *step_node(const Step *step)
{
    return main_part(step)->node;
}
const Node *part_node(const Step *step, PartRole role); /* the first's; NULL: there is none */
/* What is done to each value that MAIN makes, before it is stored: the parts, one after the
 * other; the first may be a pool. */
typedef struct Epilogue {
    const Part *parts;
    int count;
} Epilogue;
Epilogue step_epilogue(const Step *step);
Tensor *node_result(const Node *node); /* out or dx */
Tensor *step_result(const Step *step); /* what is stored at the end of the epilogue */
/* The tensor that stands for it here: itself, unless it was made again. */
Tensor *step_tensor(const Step *step, Tensor *tensor);
const char *step_stage(const Step *step);            /* "forward", …, "recompute" */
bool plan_skips(const Plan *plan, const Step *step); /* a view here: nothing runs */
bool node_is_skipped(const Plan *plan, const Node *node);
/* What a node by itself touches, all reads first. */
void node_accesses(const Node *node, bool training, AccessList *accesses);
void part_accesses(const Part *part, bool training, AccessList *accesses);
/* Whether it takes a value that is not stored as well, as it is for sums and a loss. */
bool takes_all(const Part *part);
/* Whether what part `i` reads or writes there flows between it and its neighbour, in a register. */
bool flows(const Step *step, int i, const Access *access);
/* What the step's kernel touches in memory: what its parts do, but for the values that flow
 * between them in registers. */
void step_accesses(const Step *step, bool training, AccessList *accesses);

/* order.c */
void make_steps(Plan *plan);
void make_phases(Plan *plan); /* of the fused steps */
/* The tensor whose memory it is, and where in it: a slice of a gradient is written
 * with the whole, and what does not run hands its input on.  Of the graph's tensors. */
static inline struct Memory memory_of(const Plan *plan, const Tensor *tensor)
{
    return plan->memory[tensor->id];
}

/* fuse/fuse.c */
void fuse_steps(Plan *plan);
/* recompute.c, workspace.c, memory.c */
void recompute_activations(Plan *plan);
void give_workspaces(Plan *plan);  /* to kernels that are faster with one */
void add_filter_steps(Plan *plan); /* before all else, for the kernels that were given some */
void place_tensors(Plan *plan);

#endif
