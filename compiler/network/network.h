/* network.h: what a network is made of, and who only reads or makes its parts.
 *
 *   graph.c      tensors, nodes and parameters are made
 *   arguments.c  an operator's arguments: which one has a role
 *   initialisers.c  how a parameter begins
 *   window.c     how an output's positions lie over its input
 *   parametrization.c  weights that are made of what is learned
 *   faults.c     a fault at a node, and the steps that led to it
 *
 * An operator is a table of what it is and of functions that say the rest: the rooms above ask
 * it and need not know which one it is.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "diag/diag.h"

typedef struct Program Program; /* front/ast.h */
typedef struct Operator Operator;
typedef struct Node Node;
typedef struct Tensor Tensor;
typedef struct Parameter Parameter;
typedef struct Graph Graph;
typedef struct Wanted Wanted;
typedef struct Kernel Kernel;
typedef struct ImageKernel ImageKernel;

typedef enum ArgKind {
    ARG_INT,    /* integer[0] */
    ARG_SINGLE, /* of a window along one axis: integer[0], or a word of `words` */
    ARG_PAIR,   /* integer[0] rows (y), integer[1] columns (x); one number means both */
    ARG_TRIPLE, /* depth, rows, columns; one number means all */
    ARG_QUAD,   /* left, right, top, bottom as PyTorch's ZeroPad2d; one number means all */
    ARG_SHAPE,  /* `count` sizes, or what is left over: OPEN_SIZE */
    ARG_AXES,   /* `count` axes, from 0, or from the last one back: -1 */
    ARG_INTS,   /* `count` whole numbers, one or a list of up to MAX_INTS */
    ARG_REAL,   /* real */
    ARG_BOOL,   /* integer[0] */
    ARG_WORD,   /* word, one of `words` */
    ARG_INIT,   /* init, with init_args; words: those that are taken, NULL: all */
    ARG_VALUES, /* `count` numbers, reals: one for all values of a tensor, or one for each */
    ARG_TENSORS /* `count` named tensors, which become inputs of the node behind its others */
} ArgKind;
enum { OPEN_SIZE = -1 };
enum { MAX_INTS = 8 };          /* NetAttribute of net_runtime.h has as many */
int window_sizes(ArgKind kind); /* how many numbers it is; 0: no fixed number of them */

/* What an argument is for: whoever reasons about operators asks this, never a name. */
typedef enum ArgRole {
    ROLE_NONE,
    ROLE_KERNEL, /* of a window, as Window has it */
    ROLE_STRIDE,
    ROLE_PADDING,
    ROLE_DILATION,
    ROLE_CEIL_MODE,
    ROLE_OUTPUT_PADDING,
    ROLE_OUTPUT_SIZE,
    ROLE_SCALE,    /* how many times larger the output is */
    ROLE_CHANNELS, /* how many channels or features the output has */
    ROLE_GROUPS,
    ROLE_AXIS,        /* along which it joins, sums or looks */
    ROLE_EPSILON,     /* added to a variance */
    ROLE_PER_CHANNEL, /* 1, or as many as the input has channels */
    /* how the layer's weight is made of what is learned: parametrization.c */
    ROLE_WEIGHT_NORM,
    ROLE_STANDARDIZATION,
    ROLE_SPECTRAL_NORM,
    ROLE_POWER_ITERATIONS
} ArgRole;

typedef struct ArgSpec {
    const char *name; /* NULL ends a table */
    ArgKind kind;
    ArgRole role;
    bool positional; /* may be given without its name, in table order */
    bool assertion;  /* in_channels=: checked against the input, never sets anything */
    /* the default as a user would write it; "=kernel_size": as that argument; "none", where it
     * is no word of its own: absent, given stays false; NULL: required */
    const char *otherwise;
    double minimum, maximum; /* inclusive; both 0: any */
    /* ARG_WORD: what it may be, NULL-terminated, or any_word; of a window's sizes: also allowed */
    const char *const *words;
    const char *doc; /* one sentence */
} ArgSpec;

extern const char *const any_word[]; /* of ArgSpec: whatever stands there, which others check */
bool absent_by_default(const ArgSpec *spec);

typedef struct ArgValue {
    bool given;  /* written by the user */
    Span span;   /* the value; the whole call when it was not written */
    Span origin; /* the definition of the first name in it; none: no source */
    Int integer[MAX_INTS];
    int count; /* ARG_SHAPE, ARG_AXES, ARG_INTS, ARG_VALUES, ARG_TENSORS: how many */
    double real;
    const char *word; /* interned, or NULL */
    const struct Initialiser *init;
    const struct ArgValue *init_args; /* in the order of init->args */
    const double *reals;
    Tensor **tensors; /* [count] */
} ArgValue;

const char *sizes_text(const ArgValue *shape); /* of an ARG_SHAPE: "[64, _]" */

/* How an output's positions lie over its input, along one axis. */
typedef enum WindowDirection {
    WINDOW_NONE,       /* each value is made of those at its own position, or of all */
    WINDOW_SLIDES,     /* an output is made of a window of the input: convolutions, pools */
    WINDOW_TRANSPOSED, /* an input is spread over a window of the output: transposed convolutions */
    WINDOW_FITTED      /* the output's size is given, and its positions share the input evenly */
} WindowDirection;

/* A window along one axis.  Sizes in elements of that axis. */
typedef struct Window {
    WindowDirection direction;
    Int kernel, stride, dilation;
    Int before, after;  /* padding at the two ends: of the input; transposed: cut off the output */
    bool ceil_mode;     /* a last window that hangs over the end counts, if it starts inside */
    Int output_padding; /* transposed: added to the output's size at its end */
} Window;

Int window_extent(Window window); /* dilation * (kernel - 1) + 1 */
/* window.c: along an axis of its inputs behind the channels, counted from 0: of an image 0 is
 * rows and 1 columns.  Fitted ones need node's shapes. */
Window node_window(const Node *node, int axis);
int window_axes(const Node *node); /* how many there are */

/* Operator.traits */
enum {
    OP_JOINS = 1 << 0,         /* takes two or more tensors: op {branch…} and op(name, …) */
    OP_LOSS = 1 << 1,          /* ends a training graph; has no output tensor */
    OP_VIEW = 1 << 2,          /* the output is the input's memory under another shape (flatten) */
    OP_CONCATENATES = 1 << 3,  /* the inputs are consecutive slices of the output */
    OP_SUMS = 1 << 4,          /* every input's gradient is the output's (add) */
    OP_IN_PLACE = 1 << 5,      /* y may overwrite x[0]; dx may overwrite dy: element by element */
    OP_TRAINING_ONLY = 1 << 6, /* the identity in evaluation (dropout) */
    /* training's forward pass needs sums over the whole batch: a statistics kernel runs
        * first, see Operator.statistics */
    OP_STATISTICS = 1 << 7,
    /* forward stores each value of y once and through kernel_store(): others'
        * element-by-element work can be done there */
    OP_TAKES_EPILOGUE = 1 << 8,
    OP_TAKES_GRADIENT_EPILOGUE = 1 << 9, /* and so does backward_input each value of dx */
    /* element by element; a larger x never gives a smaller y, and where it gives the same, y
        * has no gradient */
    OP_MONOTONE = 1 << 10,
    /* every output channel is a sum, each term of which has a weight */
    OP_FOLDABLE = 1 << 11,
    /* backward_parameters adds up dy, and dy times what lies at its position in x, by channel: who
        * stores dy can do it, see Operator.sums */
    OP_SUMS_GRADIENT = 1 << 13,
    /* forward takes a few operations on each value of x, which its own gradient reads too:
        * training may do it again, not keep y */
    OP_CHEAP = 1 << 14,
    /* a loss whose forward can store its input's gradient as well: emit then finds that in
        * kernel->gradient */
    OP_MAKES_GRADIENT = 1 << 15,
    /* in evaluation each channel times a number, plus a number: an OP_FOLDABLE before it can
        * do that with its sums (kernel->norm), or have them in its weights */
    OP_AFFINE = 1 << 12,
    /* says which axis is which: what follows may take the last one for features */
    OP_ARRANGES = 1 << 16,
    /* takes the last axis for features: assertions are of it, and the image that a
     * convolution makes is refused, as a flatten or a permute is missing */
    OP_LAST_AXIS = 1 << 17,
    /* takes whole numbers: without parameters, it gives them in another order, or some of them */
    OP_WHOLE = 1 << 18,
    /* a `function` of the program: what a use of it computes is another operator, made of the
     * numbers that the use gives */
    OP_DEFINED = 1 << 19,
    OP_SOURCE = 1 << 20,     /* takes no tensor: a chain begins with it, as with `from` */
    OP_ALSO_JOINS = 1 << 21, /* takes one tensor, or `joined` of them as OP_JOINS does */
    /* one backward_input kernel makes the gradients of all inputs, where there are several: see
     * Node.dx_at */
    OP_GRADIENTS_TOGETHER = 1 << 22,
    /* a loss of numbers that may be in any unit: in which one they are counted is a choice, see
     * Wanted.standardised */
    OP_ANY_UNIT = 1 << 23,
    /* sums with weights, and nothing behind them: training can give its values any size */
    OP_UNBOUNDED = 1 << 24
};

/* what a backward kernel reads besides dy and the parameters */
enum {
    READS_X = 1 << 0,                   /* the forward inputs */
    READS_Y = 1 << 1,                   /* the forward output */
    READS_AUX = 1 << 2,                 /* what forward noted in aux */
    READS_STATISTICS = 1 << 3,          /* every grain's statistics */
    READS_PARAMETER_GRADIENTS = 1 << 4, /* every grain's gradients of this node's own parameters */
    /* of backward_input: it puts into aux what backward_parameters, which comes later, reads */
    WRITES_AUX = 1 << 5
};

#define RANK(rank) (1u << (rank))

typedef enum InitKind {
    INIT_CONSTANT,   /* a */
    INIT_UNIFORM,    /* a … b */
    INIT_NORMAL,     /* mean a, deviation b */
    INIT_TRUNCATED,  /* the same between the parameter's low and high */
    INIT_ORTHOGONAL, /* rows or columns of length a, each at right angles to the others */
    INIT_DIRAC,      /* a convolution that changes nothing, in a groups */
    INIT_EYE,        /* ones where row and column are the same */
    INIT_SPARSE      /* of each column the part a zeros, the rest of deviation b */
} InitKind;
typedef struct Init {
    InitKind kind;
    double a, b;
} Init;

/* Of a loss's input: a target's classes lie `class_step` values apart, targets `target_step`. */
typedef struct ClassLayout {
    Int classes, class_step, targets, target_step;
} ClassLayout;

/* A C function that expressions call: how a call begins, and its text. */
typedef struct EmittedFunction {
    const char *call, *text;
} EmittedFunction;

/* A loss: what it is held against.  NetTarget of net_runtime.h says more. */
typedef enum TargetKind {
    TARGET_NONE,
    TARGET_CLASSES, /* whole numbers, one for each position of its class_layout */
    TARGET_NUMBERS  /* of its input's shape */
} TargetKind;

struct Operator {
    const char *name;
    const char *summary;    /* one line: what it computes */
    const char *shape_rule; /* "[c, h, w] -> [out_channels, …]" */
    const char *formula;
    const char *reference; /* the paper or page the formula comes from */
    const ArgSpec *args;   /* NULL: none */
    unsigned traits;
    unsigned ranks; /* that its first input may have: RANK(2) | RANK(3); 0: any */
    /* OP_JOINS, OP_ALSO_JOINS: how many tensors it takes; 0: two or more.  OP_LOSS: how many
     * outputs, by name; 0: one, that needs none */
    int joined;
    /* How its windows lie; what they measure is in the arguments with a role, see node_window().
     * Labels, warnings, receptive fields, drawings and fixes are made of these. */
    WindowDirection window;
    unsigned input_gradient_reads;     /* READS_… of backward_input */
    unsigned parameter_gradient_reads; /* READS_… of backward_parameters */

    /* Sets node->out_shape, node->aux_shape, node->statistics and adds the
     * parameters.  node's inputs and args are set, `rank` and assertions hold.
     * Reports and gives false when the inputs do not fit.  NULL: it sets nothing. */
    bool (*infer)(Node *node);
    /* Appends simpler nodes to graph that compute what node does, the last of which makes
     * node->out; what is checked and told stays node, of which no kernel is made.  NULL: it has
     * kernels of its own. */
    void (*lower)(Graph *graph, const Node *node);
    /* Per image, forward.  NULL: none worth counting. */
    Int (*multiply_adds)(const Node *node);
    /* True when a layer is better computed for the whole batch at once than
     * grain by grain: many parameters, each used once per image, which would be
     * read, and their gradient written, once per grain.  Its kernels of all
     * stages then compute a range of units, `from` to `to`, for all grains; they
     * are given grain 0's tensors and set kernel->units.  NULL: never. */
    bool (*whole_batch)(const Node *node);
    /* True when every y is the largest x of its window.  NULL: never. */
    bool (*is_max_pool)(const Node *node);
    /* True when every y is the mean of its window: weights that add up to 1.  NULL: never. */
    bool (*is_mean_pool)(const Node *node);
    /* True when every y is a weighted sum over the channels of x at its own position,
     * bias or none: multiply_adds says of how many.  NULL: never. */
    bool (*is_pointwise)(const Node *node);
    /* True when node's forward kernel can hand its values to `pool`, a max pool,
     * instead of storing them: emit then finds it in kernel->pool.  NULL: never. */
    bool (*can_fuse_pool)(const Node *node, const Node *pool);
    /* True when node's backward_parameters kernel had better read what `pool`, a
     * max pool, was given as its dy and noted in aux than the gradient that it
     * makes of them: emit then finds it in kernel->pool.  NULL: never. */
    bool (*can_fuse_pool_gradient)(const Node *node, const Node *pool);
    /* True when node's backward_input kernel can make the sums of `sums`, an
     * OP_SUMS_GRADIENT, as it stores dx: emit then finds it in kernel->sums.  NULL: never. */
    bool (*can_fuse_sums)(const Node *node, const Node *sums);
    /* Vectors of memory in which node's kernel of its stage does less work than it
     * would without: kernel->workspace then.  `pool`, which takes what it
     * makes, may be NULL; 0: none.  `filters`: what the next function says lies elsewhere.
     * NULL: never any. */
    Int (*workspace)(const Node *node, const Node *pool, int lanes, bool filters);
    /* Vectors of what a kernel of STAGE_FILTERS makes of node's weights, once for all grains, for
     * the kernel of its stage to take: kernel->filters then.  One that is not given them makes them
     * for itself, or goes another way.  0: there is nothing to make.  NULL: never anything. */
    Int (*filters)(const Node *node, const Node *pool, int lanes);
    /* An operator that goes element by element says so by the C of y[i], of x[i] (x0[i],
     * x1[i] … of several inputs), and of dx[i], of x[i], y[i] and dy[i].  Its loop, what it
     * does on the stores of other kernels and its kernel for one image are all made of them;
     * `emit` is emit_pointwise.  NULL: it does not, or has no gradient of its own. */
    const char *value, *gradient;
    /* The same where they depend on arguments or inputs: the one of node's stage. */
    const char *(*expression)(const Node *node);
    /* The C functions that those call besides the kernels' helpers, each written once where it is
     * called; one without a call ends the table.  NULL: none. */
    const EmittedFunction *functions;
    /* Writes the body of a specialised kernel for kernel->stage, or gives false
     * to have the reference kernel called.  NULL: always the reference. */
    bool (*emit)(Kernel *kernel);
    /* Writes the body of the reference kernel of kernel->stage, plain loops.  NULL: it calls the
     * runtime's net_NAME_STAGE. */
    void (*emit_reference)(Kernel *kernel);
    /* The same for one image, forward, in the layout of kernels/image/image.h.  NULL: by its
     * expression if it goes element by element, else the reference kernel. */
    void (*emit_image)(ImageKernel *image);
    /* Whether `emit_image` can: false has the reference kernel called.  NULL: always. */
    bool (*can_do_image)(const Node *node);

    /* Of a sequence, whose first axis are `steps` that come one after the other: makes of `row`,
     * a copy of the node of all of them (row->sequence) with a step's rows for tensors, the node
     * that computes one, of the same rows of its inputs and of what it keeps of earlier ones;
     * false: it takes others.  row->args are its own to change.  NULL: true of what goes element
     * by element, else false. */
    bool (*take_row)(Node *row, Int steps);
    /* Elements that it keeps from step to step, 0 before the first.  NULL: none. */
    Int (*kept_of_rows)(const Node *row, int lanes);
    /* Writes its kernel of step s->row; what it keeps is the operand `rows`.  NULL: as that of an
     * image which is one row. */
    void (*emit_row)(ImageKernel *image);
    /* A loss: what it is held against, and of numbers from where to where they may be; low >= high:
     * any.  `ends`: those two alone. */
    TargetKind target;
    double target_low, target_high;
    bool target_ends;
    /* Changes what it wants besides, by its node.  NULL: nothing. */
    void (*wants)(const Node *node, Wanted *target);
};

int operator_arg(const Operator *op, const char *name); /* its index in args, or -1 */
int role_arg(const Operator *op, ArgRole role);         /* the same of the first with a role */

/* ------------------------------------------------------------ the graph */

/* One way in which a parameter may begin, by name: kaiming_normal, zeros. */
typedef struct Initialiser {
    const char *name;
    const ArgSpec *args; /* NULL: none */
    /* `parameter` NULL where it does not matter: `fans` is false */
    Init (*init)(const Parameter *parameter, const ArgValue *args);
    bool fans; /* depends on fan_in and fan_out, which a parameter of one dimension has not */
    int min_rank, max_rank; /* dimensions that it takes; max_rank 0: any */
} Initialiser;
/* initialisers.c */
extern const Initialiser initialisers[];               /* name NULL ends the table */
const Initialiser *find_initialiser(const char *name); /* NULL: none */
/* Why a parameter of that shape cannot begin so, "eye needs 2 dimensions, …"; NULL: it can. */
const char *initialiser_fault(const Initialiser *init, const ArgValue *args, int rank,
                              const Int *dim);
/* Its init, which has no fault; it has two dimensions where that asks for fans. */
void initialise_parameter(Parameter *parameter, const Initialiser *init, const ArgValue *args);

typedef enum ParameterKind {
    PARAMETER_TRAINED, /* has a gradient */
    PARAMETER_BUFFER,  /* state the forward pass updates (running_mean) */
    PARAMETER_COUNTER, /* int64, + its uses each training step (num_batches_tracked); rank 0 */
    PARAMETER_CONSTANT /* `values`: never changes, and is not in the state */
} ParameterKind;

enum { MAX_DIMS = 5 };  /* of a parameter: conv3d's weight */
enum { MAX_PARTS = 3 }; /* queries, keys and values */
struct Parameter {
    const char *name; /* "weight" */
    const char *path; /* "incep1.branch1x1.weight": PyTorch's state_dict key */
    ParameterKind kind;
    int rank;
    Int dim[MAX_DIMS];
    Int elements;
    Int fan_in, fan_out;
    Init init;
    double low, high;     /* INIT_TRUNCATED */
    Int padding_row;      /* it begins as zeros, and one use has no gradient of it; -1: none */
    const double *values; /* PARAMETER_CONSTANT */
    Node *node;
    Int offset;       /* in elements, in its kind's arena; set by place_parameters */
    bool whole_batch; /* its gradient is one sum, not one per grain; set by add_gradients */
    int uses;         /* layers that have it: more where one is used again, or it is tied */
    bool by_grain;    /* one of several has a gradient for each grain; set by mark_whole_batch */
    bool frozen;      /* no optimizer moves it; set by the train section, as is */
    int group;        /* which `group` setting is its own, from 1; 0: none */
    int layer;        /* of `layer_decay`: how many layers before the end; 0: in none */
    /* It is no state, but made of others of its node, its sources, before each step: a magnitude
     * and a direction, or what is standardised by `epsilon`; NULL: it is learned itself. */
    const Parameter *makes; /* the derived one that it is a source of: no kernel knows of it */
    Parameter *sources[2];  /* the second is NULL where there is one */
    double epsilon;
    /* Or it is its one source over the largest singular value of it as a matrix, whose rows are of
     * its first or second axis: `left` and `right` are that value's vectors, which `iterations`
     * of each training step bring nearer.  NULL: it is not */
    Parameter *left, *right;
    int matrix_axis;
    Int iterations;
    /* Or it is a part of its one source, rows of it from first_row on; by number, of which each
     * part is made once.  lowering.h */
    bool is_part;
    Int first_row;
    Parameter *parts[MAX_PARTS];
};

/* What a loss wants of the data, as NetTarget. */
struct Wanted {
    const char *name; /* of an array; NULL: the data's only one */
    const char *loss;
    TargetKind kind;
    Shape shape;
    ClassLayout layout;
    Int ignored;
    double low, high;
    bool ends;
    const double *weights; /* of classes, each its own; NULL: all are 1 */
    /* the output is held against numbers less their mean, over their deviation */
    bool standardised;
};
/* Wanted.ignored: no class is. */
#define NOT_IGNORED (-9223372036854775807LL)
enum { MAX_TARGETS = 16 }; /* NET_MAX_TARGETS of net_runtime.h */
/* Node.target: it has none; the network's input. */
enum { NO_TARGET = -1, INPUT_TARGET = -2 };
/* A position's classes, where the shape is an output's: of a sequence, [t, c], a step's lie side by
 * side, of any other the first axis is theirs. */
ClassLayout class_layout_of(Shape shape);

/* A tensor that `output` names. */
typedef struct Output {
    const char *name;
    Tensor *tensor;
    Span span;
    bool aside;    /* it stands in an `aside` */
    bool has_loss; /* one reads it: aside, it is of training only */
    int unit;      /* 1 + the number of graph->wanted in whose unit it is given; 0: as it is */
} Output;

/* One of the network's inputs. */
typedef struct Input {
    const char *name; /* NULL: the only one, and nobody named it */
    Tensor *tensor;   /* NULL: it has a fault */
    Span span;        /* the statement */
    Int offset;       /* among a step's inputs, in elements of an image */
} Input;

/* Another name in the state: that of a layer that was tied to it. */
typedef struct Alias {
    const char *path;
    Parameter *parameter;
} Alias;

/* Which block or loop iteration a node came from, innermost first. */
typedef struct Instance {
    const struct Instance *outer;
    const char *what; /* "block InceptionA", "repeat", "dense" */
    const char *path; /* "incep1" for a block */
    Int iteration;    /* loop iterations from 0; -1 for a block */
    Span span;        /* the statement that instantiated it */
} Instance;

typedef enum Stage {
    STAGE_FORWARD,
    STAGE_STATISTICS,          /* before FORWARD, in training, for OP_STATISTICS */
    STAGE_FILTERS,             /* once a step: what filters() says; a plan's own */
    STAGE_BACKWARD_INPUT,      /* gradient of inputs[which] */
    STAGE_BACKWARD_PARAMETERS, /* gradients of the node's parameters */
    STAGE_ADD_GRADIENTS,       /* one use's to those of parameters that have some (no operator) */
    STAGE_ACCUMULATE,          /* out += inputs[0]: joins gradients that meet (no operator) */
    STAGE_COPY                 /* out = inputs[0] (no operator) */
} Stage;

typedef enum TensorRole {
    TENSOR_INPUT, /* what is loaded: an input of the network */
    TENSOR_ACTIVATION,
    TENSOR_AUX,
    TENSOR_STATISTICS, /* one value per element and grain, no lanes */
    TENSOR_FILTERS,    /* weights as a kernel takes them, the same for all grains */
    TENSOR_GRADIENT,
    TENSOR_SEVERAL /* in no graph: what a chain carries where it carries several, its parts */
} TensorRole;

struct Tensor {
    int id; /* index in graph->tensors */
    TensorRole role;
    const char *name; /* "conv1", "d conv1"; for dumps and comments */
    Shape shape;
    LIST(Tensor *) parts; /* TENSOR_SEVERAL */
    Node *producer;       /* the forward node; NULL for an input of the network */
    Span span;            /* of an input: its shape in the file */
    bool several;         /* of an input: there are others */
    Tensor *of;           /* TENSOR_GRADIENT: the activation */
    Int choices;          /* it holds whole numbers from 0, below it; 0: real ones */

    /* A view occupies [offset, offset + elements) of `base`, which may itself
     * be a view; a tensor of its own is its own base.  The builder sets these
     * for OP_VIEW, the gradient pass for gradients that are slices of others;
     * where memory is shared beyond that is the planner's choice (Placement). */
    Tensor *base;
    Int offset;        /* in elements per lane */
    Tensor *root;      /* the base's base, and so on to the last; itself, mostly */
    Int root_offset;   /* from there */
    Tensor *next_view; /* gradients: a root's views, chained; set and used by the gradient pass, */
    bool read_late;    /* which also notes what a whole-batch node will read */
};

struct Node {
    int id;
    Stage stage;
    const Operator *op;       /* NULL for ACCUMULATE and COPY */
    const char *path;         /* "incep1.branch1x1", or "relu_2": unique among forward nodes */
    Span span;                /* the statement */
    const Instance *instance; /* NULL: directly in the network */
    ArgValue *args;           /* in the order of op->args; shared by all stages */
    LIST(Tensor *) inputs;    /* forward inputs; none of OP_SOURCE */
    Tensor *out;              /* forward output */
    Tensor *aux;              /* NULL: none */
    Tensor *statistics;       /* NULL: none */
    LIST(Parameter *) parameters;
    /* what its kernels call them, where these are not their own names: NULL, or by parameter */
    LIST(const char *) names;
    Shape out_shape; /* set by infer() */
    Shape aux_shape; /* rank 0: none; set by infer() */
    /* of a layer that was moved: as it stands in the file; 0: as its shapes say */
    Int written_multiply_adds;
    Int statistics_size; /* values per grain; 0: none; set by infer() */

    const Node *whole;    /* the layer that was lowered to it and others; NULL: it is one */
    const Node *sequence; /* of a graph of one step: the node of all; see Operator.take_row */

    /* Backward stages: the forward node, whose fields above they share. */
    Node *forward;
    /* BACKWARD_PARAMETERS, ADD_GRADIENTS: gradients of parameters that other uses have some of
     * already; by parameter where in it they are, -1: where all others' are, in the parameter's
     * own.  NULL: it has no such */
    Tensor *contribution;
    const Int *contribution_at;
    /* BACKWARD_PARAMETERS of all grains, a bit for each parameter: others' gradients of it are
     * there already, to which these are added; others' will be added, so it is not moved yet */
    unsigned adds, awaits;
    Tensor *dy;   /* gradient of out */
    Tensor *dx;   /* STAGE_BACKWARD_INPUT: what it writes; ACCUMULATE, COPY: likewise */
    Tensor *from; /* ACCUMULATE, COPY: what it reads */
    int which;    /* STAGE_BACKWARD_INPUT: the input's index */
    /* BACKWARD_INPUT of OP_GRADIENTS_TOGETHER: by input where its gradient begins in dx, in which
     * they lie one behind the other; -1: nobody wants it.  NULL: dx is the only input's */
    const Int *dx_at;
    bool accumulate;  /* adds to dx instead of setting it */
    bool whole_batch; /* computed for all grains at once, by units; see Operator.whole_batch */
    /* OP_LOSS: what it is multiplied by, and whether it is added to other losses */
    double loss_weight;
    bool loss_adds;
    int target;                  /* of graph->wanted, or NO_TARGET, INPUT_TARGET */
    const ArgValue *standardize; /* of its target, as its line says; NULL: nothing */
    bool mixes;                  /* cross_entropy: each image has a part of another's target */
};

/* A resolved setting of the train section: "optimizer" = word "sgd",
 * "optimizer.lr" = number 0.01, "normalize.mean" = list.  The runtime looks
 * them up by path, and --set overrides numbers. */
typedef struct Setting {
    const char *path;
    enum { SETTING_NUMBER, SETTING_WORD, SETTING_LIST } kind;
    double number;
    const char *word;
    LIST(double) list;
    Span span;
} Setting;

struct Graph {
    const char *name;
    const Program *program;
    LIST(Tensor *) tensors;
    LIST(Node *) nodes;           /* forward in order of expansion, the loss last, then backward */
    LIST(Parameter *) parameters; /* in state_dict order */
    LIST(Alias) aliases;          /* further names of tied ones */
    LIST(Parameter *) derived;    /* those that are made of them */
    /* sizes of their arenas; set by place_parameters */
    Int trained_elements, buffer_elements, counters;
    const Graph *sequence; /* it computes one step of that; NULL: it is whole */
    LIST(Input) inputs;    /* in the order of the file */
    Tensor *input;         /* the first: what pictures and texts are for; NULL: it has a fault */
    Span input_span;
    Tensor *output;         /* the logits: the last forward output */
    LIST(Output) outputs;   /* those with names; without those that only training reads */
    LIST(Output) auxiliary; /* which are here */
    Node *loss;             /* of the last output; NULL without a train section */
    LIST(Wanted) wanted;    /* what the losses want of the data */
    Map functions;          /* the program's, as graph/functions.c has them */
    const char *structure;  /* of the network as it is written; set before it is reordered */
    LIST(Setting) settings; /* empty without a train section */
    Span train_span;
};

/* ------------------------------------------------------------- reading */

/* The first; NULL: it is a source. */
static inline const Tensor *first_input(const Node *node)
{
    return node->inputs.count > 0 ? node->inputs.items[0] : NULL;
}

static inline Shape input_shape(const Node *node)
{
    return node->inputs.items[0]->shape;
}

/* "[1, 28, 28]"; of several "left [1, 28, 28], right [10]". */
const char *inputs_text(const Graph *graph);
/* Of what a chain carries, which may be several tensors: "[8, 4, 4], [8, 4, 4]". */
const char *carried_text(const Tensor *tensor);
int count_carried(const Tensor *tensor);
Tensor *carried_part(Tensor *tensor, int i);
/* Elements of an image that all inputs are together: what is from one grain's to the next's. */
Int input_elements(const Graph *graph);

/* What node makes of one element, in C: Operator.value, gradient or expression, by its
 * stage.  NULL: it does not go element by element, or not in one expression. */
const char *pointwise_expression(const Node *node);

/* Whether a joined tensor is repeated along an axis of 1: ops/spread.h. */
bool repeats_inputs(const Node *node);
/* The axis of a join's output that an argument with ROLE_AXIS says, from 0; without one 0. */
int joined_axis(const Node *node);
/* Its operator's traits, less those that this use has not: what repeats an input goes not element
 * by element, and what joins along another axis than the first is no slice of the result.  Of a
 * node without an operator: none. */
unsigned node_traits(const Node *node);

Parameter *find_parameter(const Node *node, const char *name); /* NULL: none */
unsigned parameter_bit(const Node *node, const char *name);    /* in adds and awaits */
const char *parameter_name(const Node *node, int i); /* what the node's kernels call it: "weight" */
void call_parameter(Node *node, int i, const char *name);
bool owns_parameter(const Node *node, const Parameter *parameter); /* as its first user */
int node_salt(const Node *node); /* of the numbers that the layer draws: the same on the way back */
/* per image, forward, as the file defines the layer; 0: none */
Int node_multiply_adds(const Node *node);
Int trained_elements(const Node *node); /* of the trained parameters that it owns */

const char *stage_name(Stage stage); /* "backward_input" */

/* -------------------------------------------------------------- making */

Tensor *new_tensor(Graph *graph, TensorRole role, const char *name, Shape shape);
Tensor *make_tensor(int id, TensorRole role, const char *name, Shape shape); /* in no list yet */
/* Each input's offset: it starts a line of the cache. */
void place_inputs(Graph *graph);
/* of a part of base, `offset` elements on */
void make_view(Tensor *tensor, Tensor *base, Int offset);
Node *new_node(Graph *graph, Stage stage, const Operator *op);
void add_aux(Graph *graph, Node *node); /* node->aux, of node->aux_shape, if it has one */

/* Elements in a line of the cache: every parameter, and each tensor of one image, starts one. */
enum { CACHE_LINE = 16 };
/* Gives every parameter its offset in its kind's arena. */
void place_parameters(Graph *graph);
Int placed_elements(const Parameter *parameter); /* with the gap to the next in its arena */

/* parametrization.c: where an argument of node says so, its weight is made of other parameters,
 * which it adds.  Reports and gives false where the arguments do not go together. */
bool parametrize_weight(Node *node);

/* Adds a parameter to node, in state_dict order. */
Parameter *node_parameter(Node *node, const char *name, ParameterKind kind, Init init, int rank,
                          const Int *dim, Int fan_in, Int fan_out);

/* One image's values in a tensor, and one parameter's: an int's worth, so that
 * bytes of a batch, and multiply-adds of any pair of them, fit int64. */
#define MAX_ELEMENTS 2147483647LL
/* The elements of dims[0 … rank), or false and which factor was too much. */
bool count_elements(int rank, const Int *dims, Int *elements, int *culprit);
/* "65536 * this 65536 exceeds …" beside the carets. */
void caption_factor(Diagnostic *d, const Int *dims, int culprit);
const char *product_text(int rank, const Int *dims); /* "20 * 4 * 4" */

/* -------------------------------------------------------------- faults */

/* For infer(): faults at the node, with its instance path and one note per
 * level of instantiation already added, and the chain of steps that made its
 * input available through node_derivation(). */
Diagnostic *node_error(const Node *node, const char *code, Span at, const char *message, ...)
    PRINTF(4, 5);
/* Labels the last steps that led to `tensor` with their shapes and arithmetic. */
void node_derivation(Diagnostic *d, const Tensor *tensor);
/* Labels each step within the braces of a join that changed the shape of what became `tensor`. */
void label_inside(Diagnostic *d, const Node *node, const Tensor *tensor);
/* Labels the step that made `tensor`, as seen from where `node` is: of a block
 * used there, its use. */
void label_step(Diagnostic *d, const Node *node, const Tensor *tensor, const char *text);
/* The input must have one of these ranks: RANK(1) | RANK(3).  NULL: it has. */
Diagnostic *find_rank_fault(const Node *node, unsigned ranks);
bool node_has_rank(const Node *node, unsigned ranks);

/* A fault within a use of a block, with a note for it and for each that it is in. */
Diagnostic *fault_within(const Instance *instance, const char *code, Span at, const char *message,
                         va_list values);
void add_instance_notes(Diagnostic *d, const Instance *instance);
/* Like node_derivation, as seen from `level`: a block used there is one step. */
void add_derivation(Diagnostic *d, const Tensor *tensor, const Instance *level);
/* "20 * 4 * 4 = 320", or NULL where nothing was multiplied. */
const char *flatten_arithmetic(const Tensor *tensor);

#endif
