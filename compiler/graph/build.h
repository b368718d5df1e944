/* build.h: what the files that build the graph share.  What the rooms above read is in graph.h.
 *
 *   build.c      the walk: statements, joins, loops, layers
 *   blocks.c     uses of blocks: recursion, signatures, unused ones
 *   functions.c  functions of an element
 *   reuse.c      parameters that several layers have
 *   names.c      scopes: values, tensors' names and paths
 *   values.c     compile-time values
 *   mentions.c   which words a text mentions
 *   arguments.c  arguments against an operator's or a setting's table
 *   warnings.c   what is legal and surely not meant
 *   hints.c      the name that was perhaps meant
 *   training*.c  the train section; training.h is theirs
 *
 * A thing that could not be known, because its own fault was reported already
 * or because a block is only being checked, is unknown: a NULL tensor, a
 * VALUE_UNKNOWN.  Whatever depends on it is unknown too, and silent.
 */
#ifndef BUILD_H
#define BUILD_H

#include "graph/graph.h"
#include "ops/ops.h"

/* Inputs of the fuzz targets find what small networks show as well, a hundred times as fast. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define EXPANDED(limit) ((limit) / 200)
#else
#define EXPANDED(limit) (limit)
#endif

enum {
    MAX_LAYERS = EXPANDED(100000),
    MAX_JOINED = 1000, /* tensors by one concat, add or mul: each is an operand of its kernel */
    MAX_INPUTS = 8,    /* of a network; NET_MAX_INPUTS of the runtime */
    MAX_OUTPUTS = 64,  /* with names; NET_MAX_OUTPUTS of the runtime */
    MAX_LEVELS = 64,   /* of braces within braces, blocks' own included */
    /* iterations of loops and uses of blocks: those may hold no layer */
    MAX_EXPANSIONS = EXPANDED(200000),
    MAX_STEPS = EXPANDED(4000000), /* statements walked */
    /* searches for the nearest name: a fault in a loop is found every iteration */
    MAX_SUGGESTIONS = 500,
    MAX_EXPRESSION_DEPTH = 1500 /* beyond what the parser lets one statement hold */
};

/* ------------------------------------------------------------- values */

typedef enum ValueKind {
    VALUE_UNKNOWN,
    VALUE_INT,
    VALUE_REAL,
    VALUE_BOOL,
    VALUE_LIST,
    VALUE_WORD,    /* a bare word that names nothing: perhaps one a table lists */
    VALUE_TEXT,    /* quoted */
    VALUE_APPLIES, /* an operator or a block, with the arguments it was given so far */
    VALUE_ANY,     /* _ in a list: what is left over */
    VALUE_INIT,    /* an initialiser with arguments: normal(std=0.02) */
    VALUE_TENSOR
} ValueKind;

typedef struct Value Value;
typedef struct Argument Argument;
typedef LIST(Argument) Arguments;

struct Value {
    ValueKind kind;
    Int integer; /* VALUE_INT; VALUE_BOOL: 0 or 1 */
    double real;
    const char *word;   /* VALUE_WORD, VALUE_TEXT; VALUE_APPLIES, VALUE_INIT: the name */
    const Operator *op; /* VALUE_APPLIES: this or block */
    const BlockDef *block;
    const Arguments *bound;
    const struct ValueList *list;
    Tensor *tensor; /* VALUE_TENSOR; NULL: unknown.  VALUE_TEXT: that it names, given to a block */
};

typedef LIST(double) RealList;

typedef struct ValueList {
    LIST(Value) values;
} ValueList;

struct Argument {
    const char *name;     /* NULL: positional */
    Span name_span, span; /* span: the value's */
    Value value;
    struct Binding *origin; /* of the first name in it; NULL: it has none, */
    bool bare;              /* or it is that name alone */
};

/* -------------------------------------------------------------- scopes */

/* a let, parameter, dimension or loop variable */
typedef struct Binding {
    const char *name;
    Value value;
    Span span;
    int scope;                /* which pair of braces */
    struct Binding *hides;    /* of the same name, further out */
    struct Binding *previous; /* the binding made before this one */
} Binding;

/* of a repeat or dense that is being walked */
typedef struct Iteration {
    struct Iteration *outer;
    Int number;
    bool over;
} Iteration;

/* whose branches are being walked */
typedef struct Join {
    struct Join *outer;
    int start, branch_start; /* serial numbers: of the first branch, of this one */
} Join;

/* What `reuse` applies once more: a named layer, or a use of a block. */
typedef struct Layer {
    const char *path;
    const Operator *op; /* with args, or: */
    ArgValue *args;
    const BlockDef *block; /* with given */
    const Arguments *given;
} Layer;

/* weight=wte.weight */
typedef struct Tie {
    const char *name;
    Span name_span, span;
    Parameter *parameter;
} Tie;

/* Which parameters a layer shares with others. */
typedef struct Sharing {
    const char *first; /* all, with the layer at this path; NULL: only those of `ties` */
    LIST(Tie) ties;
    bool named;  /* the layer has a name of the user's */
    bool broken; /* a tie was to nothing: reported */
} Sharing;

/* one way in which a tensor can be named */
typedef struct TensorName {
    Tensor *tensor; /* NULL: unknown */
    Span span;
    int serial;
    Iteration *iteration;     /* usable within this iteration; NULL: to the end of the block */
    const Layer *layer;       /* whose statement it names; NULL: none that `reuse` takes */
    struct TensorName *older; /* of the same name */
} TensorName;

/* the network, or one use of a block: a scope of names */
typedef struct Frame {
    const BlockDef *def; /* NULL: the network */
    const char *prefix;  /* "" or "incep1" */
    const char *first;   /* the prefix of the use whose parameters this one has; NULL: its own */
    Map values;          /* Binding, innermost */
    Binding *bindings;   /* newest */
    int scope;
    Map tensors;                     /* TensorName, newest */
    LIST(const char *) tensor_names; /* in order of definition, for the nearest one */
    Map counters;                    /* of unnamed layers, by operator */
    Iteration *iteration;
    Join *join;
    bool broken;    /* a statement could not be read: it may have defined anything */
    bool uncertain; /* some tensors' names could not be computed */
} Frame;

typedef struct UnknownWord {
    const char *word;
    const BlockDef *def; /* where it is unknown; for what is applied, NULL */
    Diagnostic *told;
    int more; /* places besides the first */
} UnknownWord;

typedef struct Clash {
    Span first;
    Diagnostic *told;
    int more;
} Clash;

typedef struct Mentions Mentions;
typedef struct FunctionState FunctionState; /* functions.c's own */

typedef struct Builder {
    const Program *program;
    Graph *graph;
    Map blocks;                /* BlockState */
    Map functions;             /* FunctionState */
    int made_functions;        /* operators that were made of them */
    Map paths;                 /* every full path's PathDefinition */
    Map layers_by_path;        /* Node */
    LIST(UnknownWord) unknown; /* each is told once, */
    LIST(Clash) clashes;       /* and so is each name that others clash with */
    Frame *frame;
    const Instance *instance;
    int levels, expression_depth, serial, scopes;
    Int layers, expansions, steps, suggestions;
    int guesses;        /* > 0: in a side or iteration that may not happen */
    int asides;         /* > 0: within so many */
    bool unexpanded;    /* a block's text that nothing uses is walked, for its names */
    bool after_branch;  /* what is walked stands behind a branch */
    bool misread;       /* the program has syntax errors */
    Frame *network;     /* the network's own scope */
    Mentions *mentions; /* the texts' words, as far as somebody asked */
    bool input_seen;    /* or its absence reported */
    bool stopped;       /* a limit was reached: nothing more is walked */
    Trace *trace;       /* NULL: nobody asks */
} Builder;

typedef struct BlockState {
    const BlockDef *def;
    bool used;
    bool cyclic; /* reported: never expanded */
    enum { UNVISITED, VISITING, VISITED } visit;
} BlockState;

/* A statement's name.  path NULL: none was taken. */
typedef struct Name {
    const char *path;   /* full */
    const char *local;  /* as `from` says it, less the iterations; NULL: unnamed */
    const Layer *layer; /* that it names; NULL: none */
    bool listed;        /* an unquoted name: gets `.k` in a loop */
    Span span;
} Name;

/* --------------------------------------------------------------- build.c */

/* Whoever walks a program, or evaluates what stands in it, begins with this one. */
Builder new_builder(const Program *program, Graph *graph, Trace *trace);
/* A layer of one input, which shares parameters; NULL: it has a fault, reported. */
Tensor *add_layer(Builder *b, const Operator *op, ArgValue *args, Tensor *x, const char *path,
                  Span span, const Sharing *sharing);
Tensor *walk_statements(Builder *b, const Body *body, Tensor *x);
/* Counts one use or iteration, and reports when that makes too many. */
bool expand(Builder *b, Span span);
/* Ends the walk. */
void stop(Builder *b, Span span, const char *message, ...) PRINTF(3, 4);

/* Of what a chain carries: the tensor, where it is one.  NULL: unknown, or several (reported,
 * `taker` is "linear takes"). */
Tensor *one_tensor(Builder *b, Tensor *x, Span at, const char *taker);
/* What the branches in the braces give. */
typedef struct Inputs {
    LIST(Tensor *) tensors;
    bool known;
} Inputs;
void add_input(Inputs *inputs, Tensor *tensor); /* of several each */
void walk_branches(Builder *b, const Stmt *stmt, const char *op, Tensor *x, Inputs *inputs);

/* ------------------------------------------------------------- several.c */

/* What a chain carries that has these tensors, at least one: itself, where it is one.  NULL: one
 * of them is unknown. */
Tensor *carry(Tensor *const *tensors, int count);
/* "from" "(" names ")" */
Tensor *walk_from_several(Builder *b, const Expr *names);
/* What a block that takes several is given: by the braces, by the arguments that are tensors,
 * which are taken out of *args, or by the chain. */
Tensor *gather_inputs(Builder *b, const Stmt *stmt, const BlockDef *def, const Arguments **args,
                      Tensor *x);
/* as NAME (left, right): declares each. */
void name_results(Builder *b, const Stmt *stmt, Tensor *y);

/* -------------------------------------------------------------- blocks.c */

/* Enters the program's blocks; reports those that use themselves. */
void enter_blocks(Builder *b);
/* `first`: the path of the use whose parameters it has; NULL: its own. */
Tensor *use_block(Builder *b, const BlockDef *def, const Arguments *args, const char *path,
                  const char *first, Span span, Tensor *x);
/* Names and arguments of the blocks that were never expanded. */
void check_unused_blocks(Builder *b);
/* "height 10, not 12" */
const char *shape_difference(const ShapeExpr *shape, Shape actual, int axis, Int wanted);
/* Each dimension against the tensor's: binds unknown bare names when `binds`.
 * Gives the first axis that differs, -1: none, -2: not known; *wanted is what
 * the axis should have been. */
int match_shape(Builder *b, const ShapeExpr *shape, const Tensor *tensor, bool binds, Int *wanted);

/* ----------------------------------------------------------- functions.c */

/* Enters the program's functions and checks each with its own numbers. */
void enter_functions(Builder *b);
/* Whether the program has a function of this name; *op: what takes a use's arguments, NULL: the
 * function has a fault, told. */
bool find_function_operator(const Builder *b, const char *name, const Operator **op);
/* The operator that these arguments make of a function's, at `use`; NULL: a fault, told. */
const Operator *defined_operator(Builder *b, const Operator *op, const ArgValue *args, Span use);
/* Whether a `loss` of the program has that name; *form NULL: it is broken, which was told. */
bool find_own_loss(const Builder *b, const char *name, const FunctionForm **form);
/* It, with these numbers, of so many outputs, those that its first parameters stand for; the others
 * are its targets.  NULL: reported. */
const Operator *own_loss(Builder *b, const char *name, const ArgValue *args, int outputs, Span use);
/* --------------------------------------------------------------- reuse.c */

Tensor *walk_reuse(Builder *b, const Stmt *stmt, Tensor *x, Name *name);
/* The arguments without those that tie parameters, which go to `sharing`. */
const Arguments *take_ties(Builder *b, const Operator *op, const Arguments *args, Sharing *sharing);
/* Of an inferred node; `sharing` may be NULL.  False: they do not fit, reported. */
bool share_parameters(Builder *b, Node *node, const Sharing *sharing);
/* Of a layer at `path` in the frame's block: where it is in the use whose parameters that has;
 * NULL: in none. */
const char *first_path(const Frame *frame, const char *path);

/* --------------------------------------------------------------- names.c */

Frame *new_frame(const char *prefix, const BlockDef *def);
int open_scope(Builder *b); /* gives what close_scope takes back */
void close_scope(Builder *b, int outer);
/* Reports a name bound twice in one pair of braces. */
void bind_value(Builder *b, const char *name, Span span, Value value);
const Value *find_value(const Builder *b, const char *name);

/* The name that `as` gives, or a number for an unnamed `kind`; reports one that
 * is taken, and gives a free one so that the walk can go on. */
Name take_name(Builder *b, const Expr *as, const char *kind, Span span);
void declare_tensor(Builder *b, const Name *name, Tensor *tensor);
const TensorName *find_tensor(Builder *b, const char *name); /* NULL: not visible here */
/* A bare word where a value is wanted.  NULL: told before, of another place. */
Diagnostic *report_unknown_word(Builder *b, const char *word, Span at);
/* Whether this word was told to be unknown before; then this place is added to
 * that message.  Otherwise note_unknown() says which message tells it. */
bool told_unknown(Builder *b, const char *word, const BlockDef *def, Span at);
void note_unknown(Builder *b, const char *word, const BlockDef *def, Diagnostic *told);
/* In sibling branches, too; NULL: none. */
const TensorName *visible_name(const Builder *b, const char *word);
/* What `reuse` names, in sibling branches too; NULL: nothing (reported), or unknown. */
const TensorName *named_layer(Builder *b, const Expr *name);
void report_unknown_tensor(Builder *b, const char *name, Span at);
/* The full path that `output` gives; NULL: unknown (reported where there is a fault). */
const char *output_path(Builder *b, const Expr *name);
/* What `from` names; NULL: unknown, or nothing (reported). */
Tensor *named_tensor(Builder *b, const Expr *name);

/* -------------------------------------------------------------- values.c */

Value evaluate(Builder *b, const Expr *expr);
Value int_value(Int integer);
Arguments *evaluate_arguments(Builder *b, const ArgList *args);
Arguments *joined_arguments(const Arguments *first, const Arguments *second);
const char *value_text(const Value *value); /* as a message says it: "2.5", "the tensor inc" */
const char *value_kind(const Value *value); /* "a number" */
/* A whole number, of which `what` speaks; false: reported, or unknown. */
bool whole_number(Builder *b, const Expr *expr, const char *what, Int *number);
/* A condition; -1: unknown (reported where there is a fault). */
int truth(Builder *b, const Expr *expr, const char *what);
/* The block or operator that a bare word or call names; VALUE_UNKNOWN: reported. */
Value find_callee(Builder *b, const Expr *call);

/* ----------------------------------------------------------- arguments.c */

/* Values in the order of `specs` (NULL: none), or NULL when one is wrong
 * (reported) or unknown.  `subject` is what takes them: "conv2d". */
ArgValue *resolve_arguments(Builder *b, const char *subject, const ArgSpec *specs,
                            const Arguments *args, Span call);
/* An initialiser's; its bounds are in order. */
const ArgValue *initialiser_arguments(Builder *b, const Initialiser *init, const Arguments *args,
                                      Span at);
/* Binds a block's parameters in b->frame (the block's own). */
bool bind_parameters(Builder *b, const BlockDef *def, const Arguments *args, Span call,
                     Frame *caller);
Value default_value(Builder *b, const Param *param);
/* "conv2d(out_channels, kernel_size, stride=1, …)" */
const char *signature_text(const char *subject, const ArgSpec *specs);

/* ------------------------------------------------------------ mentions.c */

/* In the text of a block (NULL: the network). */
int count_mentions(const Builder *b, const BlockDef *def, const char *word);
int count_function_mentions(const FunctionDef *def, const char *word);
int count_uses(const Builder *b, const char *word); /* in all of them */
/* Whether nothing mentions what this word is bound to there. */
bool is_unused(const Builder *b, const BlockDef *def, const char *word);
Mentions *new_mentions(void);

/* ------------------------------------------------------------ warnings.c */

/* Of a program without errors; of layers, when it has a network. */
void warn_of_definitions(const Builder *b);
void warn_of_layers(const Graph *graph);

/* --------------------------------------------------------------- hints.c */

/* A fault where the walk is: with a note for each level it is in. */
Diagnostic *build_error(const Builder *b, const char *code, Span at, const char *message, ...)
    PRINTF(4, 5);
/* The operator that another framework gives this name; NULL: none. */
const Operator *other_spelling(const char *word);
/* What PyTorch's or torchvision's class is called as a choice of a setting, as a schedule; else the
 * word itself. */
const char *other_choice(const char *word);
/* Whether a block of this name may be in a section that could not be read. */
bool may_be_broken(const Builder *b, const char *word);
/* The nearest operator or block, for a word that is neither. */
void suggest_callee(Builder *b, Diagnostic *d, const char *word, Span at);
/* "filters": "out_channels"; or NULL */
const char *other_argument_name(const ArgSpec *specs, const char *word);
/* An argument that this operator does not have: who has it, or what is done instead. */
void explain_argument(Diagnostic *d, const char *word);
bool names_argument(const char *word); /* of any operator, or of one in another framework */

#endif
